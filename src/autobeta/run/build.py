"""Settings, and objects in place of names, to the parts of a run: the one place that does so."""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from autobeta import registry
from autobeta.data import Batches, FactorDataset, as_dataset, with_validation
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE
from autobeta.run.objects import Known, Objects, Shape, known_by
from autobeta.run.trial import try_step
from autobeta.settings import OBJECT, ModelConfig, RunConfig, TrainConfig
from autobeta.training import HeldOut, TrainState, make_state
from autobeta.training.machine import check_compiler, find_device, quickest_precision
from autobeta.training.ranks import ALONE, Ranks
from autobeta.training.seeding import random_numbers_of
from autobeta.types import Images
from autobeta.weighting import AbstractController


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
    """A run at step 0 before anything of it is written.

    Args:
        config: Its settings, all names resolved.
        dataset: Its images.
        state: What is trained.
        json: What `config.json` will hold.
        known_at: What its objects are known by in a run of so many steps, to which a recipe may be
            fitted.
    """

    config: RunConfig
    dataset: FactorDataset
    state: TrainState
    json: dict[str, Any]
    known_at: Callable[[int], Known]


def build(config: RunConfig, objects: Objects, ranks: Ranks = ALONE) -> BuiltRun:
    """Everything that a run needs; whatever can be refused is refused here.

    Seed first: the network's initial weights are random.

    Raises:
        ValueError: If a setting does not fit the data, the network or the machine, or an object
            is missing.
    """
    config = with_objects(config, objects)
    device = find_device(config.train.device)
    if device.type == "cuda" and ranks.size > 1:
        device = torch.device("cuda", ranks.local)
    if config.train.precision == "auto":
        config = replace(config, train=replace(config.train, precision=quickest_precision(device)))
    if config.train.compile:
        check_compiler(device)
    whole, train = open_dataset(config, objects), config.train
    dataset = with_validation(whole, train.held_out, train.seed)
    _check_pictures(dataset, train)
    batches = Batches(
        dataset,
        train.batch_size,
        train.seed,
        part=ranks.rank,
        parts=ranks.size,
        device=device,
    )
    shape, num_train = dataset.image_shape, len(dataset.splits["train"])
    model, recipe = build_model(config, objects, shape, num_train, dataset.sample)
    known = known_by(objects, model, recipe)  # before a first batch, which may change a network
    named = config.model.likelihood
    if recipe.likelihood is not None and named != ModelConfig().likelihood:
        warnings.warn(
            f"`likelihood` {named} is not used: {config.method} brings its own.", stacklevel=2
        )
    if train.batch_size < (least := ranks.size * recipe.objective.min_batch):
        compares = ", which compares the images of a batch with each other"
        why = compares if recipe.objective.min_batch > 1 else ""
        raise ValueError(
            f"`batch_size` must be at least {least} for {config.method}{why}; got "
            f"{train.batch_size}. Raise it; 64 is usual."
        )
    if ranks.size > 1 and ranks.first:
        _warn_coupled(model, recipe, train.batch_size // ranks.size)
    if not 0 <= (rate := recipe.weighting_lr or 0.0) <= 1:
        raise ValueError(f"`weighting_lr` must be in [0, 1]; got {rate}. 5e-4 is usual.")
    if not all(0 <= beta < 1 for beta in recipe.weighting_betas or ()):
        raise ValueError(
            f"`weighting_betas` must be in [0, 1); got {recipe.weighting_betas}. 0.9 and 0.999 "
            "are usual."
        )
    state = make_state(
        model,
        recipe.objective,
        recipe.weighting,
        batches,
        train,
        device=device,
        weighting_lr=recipe.weighting_lr,
        weighting_betas=recipe.weighting_betas,
        ranks=ranks,
        held_out=_held_out(dataset, config, recipe),
    )
    try_step(state, dataset, config)
    json = config.to_json()
    json["data"] |= {
        "source": dataset.source,
        "image_shape": list(shape),
        "num_train": num_train,
        "fingerprint": whole.fingerprint,
    }
    controller = getattr(recipe.weighting, "controller", None)
    if isinstance(controller, AbstractController):  # for whoever reads the folder without torch
        ends = {"beta_min": controller.beta_min, "beta_max": controller.beta_max}
        json["control"] = {k: end if math.isfinite(end) else None for k, end in ends.items()}
    if known:
        json["objects"] = known

    def known_at(steps: int) -> Known:
        shorter = replace(config, train=replace(train, steps=steps))
        with random_numbers_of(train.seed, torch.device("cpu")):
            parts = build_model(shorter, objects, shape, num_train, dataset.sample)
        return known_by(objects, *parts)

    return BuiltRun(config, dataset, state, json, known_at)


def _check_pictures(dataset: FactorDataset, train: TrainConfig) -> None:
    """Refuse pictures of images that can't be drawn."""
    if train.pictures_every and (channels := dataset.image_shape[2]) not in (1, 3):
        raise ValueError(
            "`pictures_every` must be left out where images have other than 1 or 3 channels; got "
            f"{train.pictures_every}, and {channels} channels in {dataset.name}."
        )


def _held_out(dataset: FactorDataset, config: RunConfig, recipe: Recipe) -> HeldOut | None:
    """The images of validations, if there are to be any."""
    if (train := config.train).validate_every is None:
        return None
    split = next((name for name in ("validation", "test") if name in dataset.splits), None)
    if split is None:
        raise ValueError(
            f"`held_out` must be above 0 to validate on {dataset.name}, which has no held-out "
            "images of its own; got 0. 0.1 is usual."
        )
    least = recipe.objective.min_batch
    return HeldOut(dataset, split, train.batch_size, seed=train.seed, min_batch=least)


def _warn_coupled(model: VAE, recipe: Recipe, part: int) -> None:
    """Warn of what counts the images of a batch together, where each rank has a part of them."""
    for coupling in (recipe.objective, model.likelihood):
        if coupling.couples_images:
            warnings.warn(
                f"{type(coupling).__name__} counts the images of a batch together: each process "
                f"does so for its own {part}, so the run is not that of one process. For more in "
                "each, raise `batch_size`.",
                stacklevel=4,
            )


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
    config: RunConfig,
    objects: Objects,
    image_shape: Shape,
    num_train: int,
    images: Callable[[int], Images] | None = None,
) -> tuple[VAE, Recipe]:
    """The network with its likelihood, and the recipe of the method, which may look at `images`.

    Raises:
        ValueError: If a setting does not fit, or the run was made with an object and none is
            given.
    """
    likelihood = _copied("likelihood", objects.likelihood)
    if likelihood is None:
        _ask("likelihood", config.model.likelihood)
        likelihood = registry.load("models/likelihoods", config.model.likelihood).build()
    facts = Facts(
        num_latents=config.model.num_latents,
        num_train=num_train,
        image_shape=image_shape,
        num_steps=config.train.steps,
        likelihood=likelihood,
        images=images,
    )
    recipe = _recipe(config, objects, facts)
    encoder, decoder = _network(config, objects, image_shape)
    return VAE(encoder, decoder, recipe.likelihood or likelihood), recipe


def _recipe(config: RunConfig, objects: Objects, facts: Facts) -> Recipe:
    if objects.recipe is None:
        _ask("recipe", config.method)
        return registry.load("methods", config.method).build(config.method_config, facts)
    given = objects.recipe
    shared = {id(part): part for part in (facts.likelihood, facts.images)}  # these are the run's
    recipe = _copied("recipe", given(facts) if callable(given) else given, shared)
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
    if callable(given) and not isinstance(given, nn.Module):
        given = given(shape, num_latents)
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or not all(isinstance(part, nn.Module) for part in given)
    ):
        got = f"({', '.join(map(repr, given))})" if isinstance(given, tuple) else type(given)
        raise TypeError(f"`network` must be an encoder and a decoder, two modules; got {got}.")
    return _copied("network", given)


def _copied(name: str, given: Any, shared: dict[int, Any] | None = None) -> Any:  # noqa: ANN401
    """A copy to be trained, so that the user's own stays as it is, also what a function keeps."""
    try:
        return copy.deepcopy(given, shared)
    except Exception as error:  # whatever a part of it raises
        raise ValueError(
            f"`{name}` must be copied before it is trained, and can't be: "
            f"{type(error).__name__}, {error}. Leave out what `copy.deepcopy` refuses."
        ) from error


def _ask(name: str, found: str) -> None:
    """Ask for an object that a configuration names as one."""
    if found == OBJECT:
        raise ValueError(
            f"`{name}` must be given: it is an object in this configuration, which no file can "
            f"bring back. Give the same in Python, as in load_run(folder, {name}=...)."
        )
