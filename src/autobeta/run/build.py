"""Settings, and objects in place of names, to the parts of a run: the one place that does so."""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autobeta import registry
from autobeta.data import Batches, FactorDataset, as_batch, as_dataset, with_validation
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE, VAEOutput
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.run.objects import Objects, Shape, known_by
from autobeta.settings import OBJECT, ModelConfig, RunConfig, TrainConfig
from autobeta.training import HeldOut, TrainState, make_state
from autobeta.training.machine import check_compiler, find_device, quickest_precision
from autobeta.training.ranks import ALONE, Ranks
from autobeta.types import Images
from autobeta.weighting import AbstractController, check_terms, effective_weights


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
    """A run at step 0 before anything of it is written; `json` is what `config.json` will hold."""

    config: RunConfig
    dataset: FactorDataset
    state: TrainState
    json: dict[str, Any]


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
    named = config.model.likelihood
    if recipe.likelihood is not None and named not in (ModelConfig().likelihood, OBJECT):
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
    _try(state, dataset, config)
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
    if known := known_by(objects, model, recipe):
        json["objects"] = known
    return BuiltRun(config, dataset, state, json)


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


def _try(state: TrainState, dataset: FactorDataset, config: RunConfig) -> None:
    """Train copies on the first images for one step; neither state nor random numbers move.

    Raises:
        ValueError: If data, network, objective or weighting can't take such a batch.
    """
    index = dataset.splits["train"][: config.train.batch_size]
    pixels, wanted = dataset.images(index), (len(index), *dataset.image_shape)
    if pixels.dtype != np.uint8 or pixels.shape != wanted:
        raise ValueError(
            f"`data` must give uint8 images of shape {wanted}; got {pixels.dtype} of shape "
            f"{pixels.shape}. Correct its function `images`, or its `image_shape`."
        )
    x = as_batch(torch.from_numpy(pixels).to(state.device))
    devices = [state.device] if state.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            with torch.no_grad():
                state.model.eval()(x)  # lazy modules take their shapes
            modules = copy.deepcopy((state.model, state.objective, state.weighting))
            model, objective, weighting = (module.train() for module in modules)
            output = model(x)
            _check_likelihood(output, x)
            terms = objective(x, output)
            check_terms(terms, "reconstruction", "kl")
            loss = weighting(terms, 0)
            effective_weights(loss, terms)
            loss.backward()
            if isinstance(objective, AbstractAdversarialObjective):
                objective.adversary_loss(output)
        except Exception as error:
            if str(error).startswith("`"):
                raise
            raise ValueError(
                f"a batch of shape {tuple(x.shape)} must pass network, objective and weighting, "
                f"forward and backward; got {type(error).__name__}: {error}"
            ) from error
    if output.z.shape[1] != config.model.num_latents:
        raise ValueError(
            f"`network` must have the {config.model.num_latents} latents of "
            f"ModelConfig(num_latents=...); got {output.z.shape[1]}. Make both the same."
        )


def _check_likelihood(output: VAEOutput, x: Images) -> None:
    nats, log_sigma = output.likelihood.nll(output.outputs, x), output.likelihood.log_sigma
    if nats.shape != (len(x),):
        raise ValueError(
            f"`likelihood` must return one number for each image, shape ({len(x)},); got "
            f"{tuple(nats.shape)}. Sum over pixels and channels, as .sum(dim=(1, 2, 3))."
        )
    if not isinstance(log_sigma, Tensor) or log_sigma.ndim:
        raise ValueError(
            "`likelihood.log_sigma` must be a tensor that holds one number, shape (); got "
            f"{log_sigma!r}. Leave it out for 0, or make it a buffer, as of torch.zeros(())."
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
    recipe = given(facts) if callable(given) else copy.deepcopy(given)
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
    else:
        given = copy.deepcopy(given)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"`network` must be an encoder and a decoder; got {type(given)}.")
    return given


def _ask(name: str, found: str) -> None:
    """Ask for an object that a configuration names as one."""
    if found == OBJECT:
        raise ValueError(
            f"`{name}` must be given: it is an object in this configuration, which no file can "
            f"bring back. Give the same in Python, as in load_run(folder, {name}=...)."
        )
