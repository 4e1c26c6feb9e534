"""The user's own objects in place of names, and what they are known by when they come again."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import Dataset

from autobeta.data import FactorDataset
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE, AbstractLikelihood

_INTERNAL = {*vars(nn.Module())}  # what torch keeps in every module

Shape = tuple[int, int, int]
Images = FactorDataset | Dataset[Any] | np.ndarray
Network = tuple[nn.Module, nn.Module] | Callable[[Shape, int], tuple[nn.Module, nn.Module]]
MakeRecipe = Callable[[Facts], Recipe]


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What the user gives in place of names, as `train` takes it; None takes the name.

    Modules are copied before they are trained, so that the user's own stay as they are.
    """

    data: Images | None = None
    network: Network | None = None
    likelihood: AbstractLikelihood | None = None
    recipe: Recipe | MakeRecipe | None = None


def known_by(objects: Objects, model: VAE, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Import path and fingerprint of the objects given, as `config.json` keeps them."""
    made: dict[str, list[object]] = {
        "network": [_content(part, values=False) for part in (model.encoder, model.decoder)],
        "likelihood": [_content(model.likelihood)],
        # a field that an earlier version had not, where it is left out, keeps the fingerprint
        "recipe": [
            _content(part)
            for name, part in vars(recipe).items()
            if name != "weighting_betas" or part is not None
        ],
    }
    found = {}
    for name, content in made.items():
        if (given := getattr(objects, name)) is not None:
            named = given[0] if isinstance(given, tuple) else given
            kind = named if hasattr(named, "__qualname__") else type(named)
            digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
            found[name] = {"path": f"{kind.__module__}.{kind.__qualname__}", "fingerprint": digest}
    return found


def _content(value: object, *, values: bool = True) -> object:
    """What an object is known by: its class, settings and functions, to the last closure.

    Args:
        value: A module, a function, or what these hold.
        values: Whether buffers count by their values, not only by shape, as parameters do.
    """
    if isinstance(value, bool | int | float | str | bytes | None):
        return value
    if isinstance(value, Tensor):
        few = values and not isinstance(value, nn.Parameter) and value.numel() <= 64
        return [tuple(value.shape), str(value.dtype), value.tolist() if few else ""]
    if isinstance(value, dict):
        return [(key, _content(item, values=values)) for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [_content(item, values=values) for item in value]
    if isinstance(value, functools.partial):
        return [_content(part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, *map(_content, value.co_consts)]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = [value.__code__, cells, value.__defaults__, value.__kwdefaults__]
        return [value.__qualname__, *map(_content, held)]
    if isinstance(value, MethodType):
        return [_content(value.__func__), _content(value.__self__)]
    named = getattr(value, "__qualname__", type(value).__qualname__)
    if not isinstance(value, nn.Module):
        plain = isinstance(value, type) or not hasattr(value, "__dict__")
        return named if plain else [named, _content(vars(value))]
    own = {k: v for k, v in vars(value).items() if k not in _INTERNAL}
    tensors = dict(value.named_parameters(recurse=False)) | dict(
        value.named_buffers(recurse=False)
    )
    children = dict(value.named_children())
    return [named, *(_content(part, values=values) for part in (own, tensors, children))]
