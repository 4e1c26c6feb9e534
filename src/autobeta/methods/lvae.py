"""L-VAE: the weights of the reconstruction and the KL are learned together with the network.

    loss = R / (2 s_0) + K / (2 s_1) + r(s_0) + r(s_1),   r(s) = 0.5 log s  or  log(1 + s)

with R = reconstruction and K = kl, each divided by its unit, and s_i moved by natural gradient
(`weighting/natural.py`) or learned by an optimiser (`weighting/learned.py`): beta = s_0 / s_1
tends to the ratio of the fixed points; `docs/lvae.md` has what each choice does.

Deviations:
    The published loss, start and optimiser are not known to us. What stands here follows from the
    paper's abstract (two learned weights adapted from uncertainty weighting, one regulariser);
    the defaults were chosen by experiments: form and unit in `reproductions/foundation/`, what
    moves the weights and when beta may rise in `reproductions/lvae/`.
    The reconstruction carries no additive constant, since the weights would see it: of a Bernoulli
    the images' own entropy is taken off.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import (
    LearningRate,
    Settings,
    StepsOrNone,
    Weight,
    Window,
)
from autobeta.weighting import LearnedWeights, NaturalWeights
from autobeta.weighting.learned import check_start

SOURCE = (
    "Mogultay Ozcan et al., L-VAE, Machine Vision and Applications 2025, "
    "https://arxiv.org/abs/2507.02619"
)
CITATION = """@article{mogultay2025lvae,
  title = {{L-VAE}: Variational Auto-Encoder with Learnable Beta for Disentangled Representation},
  author = {Mogultay Ozcan, Hazal and Kalkan, Sinan and Yarman-Vural, Fatos T.},
  journal = {Machine Vision and Applications},
  year = {2025}
}"""
ADAPTS = "the weights of reconstruction and KL, learned"
PRESETS: dict[str, dict[str, object]] = {}
_SAMPLE = 500  # images that the constant one's cost is taken from
_LEAST = 1e-6  # probability of a pixel that none of them has
ADAM_BETAS = {"adam": (0.9, 0.999), "adam_short": (0.9, 0.9), "rmsprop": (0.0, 0.9)}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of L-VAE."""

    weight_optimizer: Literal["natural", "adam", "adam_short", "rmsprop"] = "natural"
    """What moves the variances: natural gradient, in which they are moving averages of the terms;
    Adam with betas (0.9, 0.999), or (0.9, 0.9); RMSprop, Adam with betas (0, 0.9)."""
    weight_lr: LearningRate = 1e-3
    """Rate of the variances (natural gradient: 1 over the steps averaged), or learning rate of
    their logarithms."""
    beta_initial: Weight = 1.0
    """beta in the warm-up, and where "ones" starts; 0 for both weights 1, of an optimiser's."""
    wait: Literal["explained", "records", "never"] = "explained"
    """When beta may rise: in steps at which the reconstruction's average is at its lowest, or
    always; of natural gradient."""
    window: Window = 100
    """Steps in that average; of natural gradient."""
    regulariser: Literal["log", "log1p"] = "log"
    """r(s): 0.5 log s, or log(1 + s)."""
    unit: Literal["nats", "pixel"] = "nats"
    """Unit of the reconstruction inside its weighted term: nats per image, or per pixel."""
    start: Literal["ones", "fixed_point"] = "ones"
    """Weights after the warm-up: those of `beta_initial`, or where its mean terms put them."""
    warmup: StepsOrNone = 0
    """Steps with beta at `beta_initial` before the weights are learned; 0 for none."""
    kl_floor: Weight = 1.0
    """Lower bound of the KL's variance, nats, against posterior collapse."""


def make_recipe(config: Any, facts: Facts, *, kl_per_latent: bool) -> Recipe:  # noqa: ANN401
    """Objects of L-VAE or mdL-VAE, whose settings are alike."""
    for caution in _cautions(config.warmup, facts):
        warnings.warn(caution, stacklevel=3)
    unit = float(math.prod(facts.image_shape)) if config.unit == "pixel" else 1.0
    num_weights = facts.num_latents if kl_per_latent else 1
    objective = Elbo(kl_per_latent=kl_per_latent, relative=True)
    if config.weight_optimizer == "natural":
        constant = constant_cost(facts, objective)
        return Recipe(objective=objective, weighting=_natural(config, num_weights, unit, constant))
    weighting = LearnedWeights(
        {"reconstruction": 1, "kl": num_weights},
        regulariser=config.regulariser,
        units={"reconstruction": unit},
        floors={"kl": config.kl_floor},
        warmup=config.warmup,
        start=config.start,
        beta_initial=config.beta_initial or None,
    )
    return Recipe(
        objective=objective,
        weighting=weighting,
        weighting_lr=config.weight_lr,
        weighting_betas=ADAM_BETAS[config.weight_optimizer],
    )


def constant_cost(facts: Facts, objective: Elbo) -> float | None:
    """What training images cost where all have the same outputs, the best of mean and median.

    Nats per image, of 500 of them. None without images, for a density with its constants, and for
    a likelihood whose outputs are neither means nor logits.
    """
    likelihood = facts.likelihood
    linear = likelihood.link is torch.positive
    known = linear or likelihood.link is torch.sigmoid
    if facts.images is None or likelihood.is_density or not known:
        return None
    x = facts.images(_SAMPLE)
    averages = (x.mean(dim=0, keepdim=True), x.median(dim=0, keepdim=True).values)
    outputs = [mean if linear else mean.clamp(_LEAST, 1 - _LEAST).logit() for mean in averages]
    costs = [objective.reconstruction(likelihood, o.expand_as(x), x).item() for o in outputs]
    return min(costs) if min(costs) > 0 else None


def _natural(
    config: Any,  # noqa: ANN401
    num_weights: int,
    unit: float,
    constant: float | None,
) -> NaturalWeights:
    if not config.beta_initial:
        raise ValueError(
            "`beta_initial` must be positive for `weight_optimizer` natural; got 0. Take 1; adam, "
            "adam_short and rmsprop can start with both weights 1."
        )
    check_start(config.start, config.warmup)
    return NaturalWeights(
        num_weights=num_weights,
        regulariser=config.regulariser,
        unit=unit,
        floor=config.kl_floor,
        rate=config.weight_lr,
        warmup=config.warmup,
        start=config.start,
        beta_initial=config.beta_initial,
        wait=config.wait,
        window=config.window,
        constant=constant,
    )


def _cautions(warmup: int, facts: Facts) -> Iterator[str]:
    """What to warn of; a run that never learns its weights is refused."""
    if warmup >= facts.num_steps:
        raise ValueError(
            f"`warmup` must be below the run's {facts.num_steps} steps; got {warmup}. "
            "Train longer, or shorten it."
        )
    if 2 * warmup > facts.num_steps:
        yield (
            f"`warmup` takes {warmup:,} of the run's {facts.num_steps:,} steps, so that the "
            f"weights are learned in {facts.num_steps - warmup:,}. Train longer, or shorten it."
        )
    if facts.likelihood.is_density:
        yield (
            "`likelihood` is a density with its constants, which the learned weights see: it may "
            "fall below 0, where its weight goes to its limit. Use --likelihood gaussian."
        )


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of L-VAE."""
    return make_recipe(config, facts, kl_per_latent=False)
