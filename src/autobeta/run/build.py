"""Settings, and objects in place of names, to the parts of a run: the one place that does so."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from autobeta import registry
from autobeta.data import Batches, FactorDataset, as_dataset
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE, AbstractLikelihood
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.settings import OBJECT, RunConfig
from autobeta.training import TrainState, make_state

_PLAIN = (bool, int, float, str, tuple)  # settings that a module keeps

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


def with_objects(config: RunConfig, objects: Objects) -> RunConfig:
    """The configuration with `OBJECT` in place of the names that objects stand for."""
    if objects.data is not None:
        config = replace(config, data=OBJECT)
    if objects.network is not None:
        config = replace(config, model=replace(config.model, architecture=OBJECT))
    if objects.likelihood is not None:
        config = replace(config, model=replace(config.model, likelihood=OBJECT))
    if objects.recipe is not None:
        config = replace(config, method=OBJECT, method_config=None)
    return config


@dataclass(frozen=True)
class BuiltRun:
    """A run that was built, before anything of it is written.

    Args:
        config: Its configuration.
        dataset: What it is trained on.
        state: Network, objective, weighting and optimiser, at step 0.
        json: What `config.json` holds.
    """

    config: RunConfig
    dataset: FactorDataset
    state: TrainState
    json: dict[str, Any]


def build(config: RunConfig, objects: Objects) -> BuiltRun:
    """Everything that a run needs; whatever can be refused is refused here.

    Seed first: the network's initial weights are random.

    Raises:
        ValueError: If a setting does not fit the data, the network or the machine, or an object
            is missing.
    """
    config = with_objects(config, objects)
    device = find_device(config.train.device)
    dataset = open_dataset(config, objects)
    train = config.train
    batches = Batches(dataset, train.batch_size, train.seed, device=device)
    shape, num_train = dataset.image_shape, len(dataset.splits["train"])
    model, recipe = build_model(config, objects, shape, num_train)
    if train.batch_size < (least := recipe.objective.min_batch):
        raise ValueError(
            f"`batch_size` must be at least {least} for {config.method}; got {train.batch_size}."
        )
    state = make_state(
        model,
        recipe.objective,
        recipe.weighting,
        batches,
        train,
        device=device,
        weighting_lr=recipe.weighting_lr,
    )
    _try(state, shape, train.batch_size)
    json = config.to_json()
    json["data"] |= {
        "source": dataset.source,
        "image_shape": list(shape),
        "num_train": num_train,
        "fingerprint": dataset.fingerprint,
    }
    if known := _known_by(objects, state):
        json["objects"] = known
    return BuiltRun(config, dataset, state, json)


@torch.no_grad()
def _try(state: TrainState, shape: Shape, batch_size: int) -> None:
    """Count the terms of one black batch; neither state nor random numbers move.

    Raises:
        ValueError: If network or objective can't take such a batch.
    """
    height, width, channels = shape
    x = torch.zeros(batch_size, channels, height, width, device=state.device)
    devices = [state.device] if state.device.type == "cuda" else []
    for module in state.modules().values():
        module.eval()
    try:
        with torch.random.fork_rng(devices):
            output = state.model(x)
            state.objective(x, output)
            if isinstance(state.objective, AbstractAdversarialObjective):
                state.objective.adversary_loss(output)
    except RuntimeError as error:
        raise ValueError(
            f"network and likelihood must take images of shape {tuple(x.shape)}; got: {error}"
        ) from error


def open_dataset(config: RunConfig, objects: Objects = Objects()) -> FactorDataset:
    """The data set that a configuration names, or the object given.

    Raises:
        ValueError: If the run was made with an object and none is given.
    """
    if objects.data is not None:
        return as_dataset(objects.data, config.data_options)
    _ask("data", config.data)
    return as_dataset(config.data, config.data_options)


def build_model(
    config: RunConfig, objects: Objects, image_shape: Shape, num_train: int
) -> tuple[VAE, Recipe]:
    """The network with its likelihood, and the recipe of the method.

    Args:
        config: Method, its settings, network and steps.
        objects: What is given in place of names.
        image_shape: (height, width, channels).
        num_train: Number of training images.

    Raises:
        ValueError: If a setting does not fit, or the run was made with an object and none is
            given.
    """
    likelihood = copy.deepcopy(objects.likelihood)
    if likelihood is None:
        _ask("likelihood", config.model.likelihood)
        likelihood = registry.load("models/likelihoods", config.model.likelihood).build()
    facts = Facts(
        num_latents=config.model.num_latents,
        num_train=num_train,
        image_shape=image_shape,
        num_steps=config.train.steps,
        likelihood=likelihood,
    )
    recipe = _recipe(config, objects, facts)
    encoder, decoder = _network(config, objects, image_shape)
    return VAE(encoder, decoder, recipe.likelihood or likelihood), recipe


def _recipe(config: RunConfig, objects: Objects, facts: Facts) -> Recipe:
    if objects.recipe is None:
        _ask("recipe", config.method)
        return registry.load("methods", config.method).build(config.method_config, facts)
    given = objects.recipe
    recipe = copy.deepcopy(given) if isinstance(given, Recipe) else given(facts)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe or a function to one; got {type(recipe)}.")
    return recipe


def _network(config: RunConfig, objects: Objects, shape: Shape) -> tuple[nn.Module, nn.Module]:
    num_latents = config.model.num_latents
    if objects.network is None:
        _ask("network", config.model.architecture)
        module = registry.load("models/networks", config.model.architecture)
        return module.encoder(shape, num_latents), module.decoder(shape, num_latents)
    given = objects.network
    pair = given(shape, num_latents) if callable(given) else copy.deepcopy(given)
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(f"`network` must be an encoder and a decoder; got {type(pair)}.")
    return pair


def _ask(name: str, found: str) -> None:
    """Ask for an object that a configuration names as one."""
    if found == OBJECT:
        raise ValueError(
            f"`{name}` must be given: the run was made with an object, which no file of it can "
            f"bring back. Give the same again, as in load_run(folder, {name}=...)."
        )


def _known_by(objects: Objects, state: TrainState) -> dict[str, dict[str, str]]:
    """Import path and fingerprint of the objects given, as `config.json` keeps them."""
    modules = {
        "network": (state.model.encoder, state.model.decoder),
        "likelihood": (state.model.likelihood,),
        "recipe": (state.objective, state.weighting),
    }
    found = {}
    for name, made in modules.items():
        if (given := getattr(objects, name)) is not None:
            named = given[0] if isinstance(given, tuple) else given
            kind = named if hasattr(named, "__qualname__") else type(named)
            path = f"{kind.__module__}.{kind.__qualname__}"
            found[name] = {"path": path, "fingerprint": _fingerprint(made)}
    return found


def _fingerprint(modules: tuple[nn.Module, ...]) -> str:
    """Hex digits that change with classes, settings, buffers and shapes of parameters."""
    digest = hashlib.sha256()
    for part in (part for module in modules for part in module.modules()):
        plain = {k: v for k, v in vars(part).items() if isinstance(v, _PLAIN) and k != "training"}
        digest.update(f"{type(part).__qualname__} {sorted(plain.items())}\n".encode())
        for name, buffer in part.named_buffers(recurse=False):
            digest.update(f"{name} {buffer.tolist()}\n".encode())
        for name, parameter in part.named_parameters(recurse=False):
            digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}\n".encode())
    return digest.hexdigest()[:16]


def find_device(name: str) -> torch.device:
    """The device of a name that this machine has; "auto" takes the quickest.

    Raises:
        ValueError: If there is none of that name; the message lists what there is.
    """
    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    if name == "auto":
        return torch.device(found[1] if len(found) > 1 else "cpu")
    if name not in found:
        raise ValueError(
            f"`device` must be auto or one that torch {torch.__version__} finds here, "
            f"{', '.join(found)}; got {name!r}."
        )
    return torch.device(name)
