"""The user's own objects in place of names, and what they are known by when they come again."""

import functools
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.data import Dataset
from torch.utils.hooks import RemovableHandle

from autobeta.data import FactorDataset
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE, AbstractLikelihood

_INTERNAL = {*vars(nn.Module())}  # what torch keeps in every module
_BY_TEXT = (complex, range, slice, torch.dtype, torch.device)

Shape = tuple[int, int, int]
Images = FactorDataset | Dataset[Any] | np.ndarray
Network = tuple[nn.Module, nn.Module] | Callable[[Shape, int], tuple[nn.Module, nn.Module]]
MakeRecipe = Callable[[Facts], Recipe]
Known = dict[str, dict[str, str]]
"""Name of an object to its import path and its fingerprint."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What the user gives in place of names, as `train` takes it; None takes the name.

    Modules are copied before they are trained, so that the user's own stay as they are.
    """

    data: Images | None = None
    network: Network | None = None
    likelihood: AbstractLikelihood | None = None
    recipe: Recipe | MakeRecipe | None = None


def known_by(objects: Objects, model: VAE, recipe: Recipe) -> Known:
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


def _content(value: object, *, values: bool = True, within: tuple[int, ...] = ()) -> object:
    """What an object is known by: its class, settings and functions, to the last closure.

    Args:
        value: A module, a function, or what these hold.
        values: Whether buffers count by their values, not only by shape, as parameters do.
        within: Identities of the objects that hold it, for it may hold one of them in its turn.
    """
    if isinstance(value, bool | int | float | str | bytes | None):
        return value
    if isinstance(value, Tensor):
        if is_lazy(value):
            return ["a shape of the first batch's", str(value.dtype)]
        few = values and not isinstance(value, nn.Parameter) and value.numel() <= 64
        return [tuple(value.shape), str(value.dtype), value.tolist() if few else ""]
    if id(value) in within:
        return f"the holder of {len(within) - within.index(id(value))} levels above"
    inside = functools.partial(_content, within=(*within, id(value)))
    held = functools.partial(inside, values=values)
    if isinstance(value, dict):
        return [(key, held(item)) for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [held(item) for item in value]
    if isinstance(value, functools.partial):
        return [inside(part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, *map(inside, value.co_consts)]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = [value.__code__, cells, value.__defaults__, value.__kwdefaults__]
        return [value.__qualname__, *map(inside, parts)]
    if isinstance(value, MethodType):
        return [inside(value.__func__), inside(value.__self__)]
    named = getattr(value, "__qualname__", type(value).__qualname__)
    if not isinstance(value, nn.Module):
        return _plain_content(value, named, inside)
    own = {k: v for k, v in vars(value).items() if k not in _INTERNAL}
    tensors = dict(value.named_parameters(recurse=False)) | dict(
        value.named_buffers(recurse=False)
    )
    children = dict(value.named_children())
    return [named, *map(held, (own, tensors, children))]


def _plain_content(value: object, named: str, inside: Callable[[object], object]) -> object:
    """What an object that is neither a module nor a function is known by."""
    if isinstance(value, type | RemovableHandle):  # handles are numbered as they come
        return named
    if isinstance(value, logging.Logger):  # it holds all others
        return [named, value.name]
    if isinstance(value, np.generic):
        return [named, repr(value.item())]
    if isinstance(value, np.ndarray):
        data = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return [value.shape, str(value.dtype), hashlib.sha256(data).hexdigest()]
    if isinstance(value, set | frozenset):
        return [named, sorted(repr(inside(item)) for item in value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, _BY_TEXT):
        return [named, repr(value)]
    slots = _slots(value)
    if not slots and not hasattr(value, "__dict__"):
        return named
    return [named, inside(slots | getattr(value, "__dict__", {}))]


def _slots(value: object) -> dict[str, object]:
    """What an object keeps in slots, as a small dataclass may."""
    found = [vars(kind).get("__slots__", ()) for kind in type(value).__mro__]
    names = [name for own in found for name in ([own] if isinstance(own, str) else own)]
    kept = (name for name in names if not name.startswith("__") and hasattr(value, name))
    return {name: getattr(value, name) for name in kept}
