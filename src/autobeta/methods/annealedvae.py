"""AnnealedVAE: the KL is pulled to a capacity that rises from zero.

    loss = reconstruction + gamma * |kl - C(step)|

Published: gamma 1000, C from 0 to 25 nats in a straight line over 100,000 steps. Short runs: by
default C rises over the first third of the run, the share that 100,000 steps have of the 300,000
of disentanglement_lib's study; `schedule="paper"` counts steps as published.

Deviations:
    The default schedule is fitted to the run's length.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.weighting import CapacityKL, schedules

SOURCE = (
    "Burgess et al., Understanding disentangling in beta-VAE, 2018, "
    "https://arxiv.org/abs/1804.03599"
)
CITATION = """@article{burgess2018understanding,
  title = {Understanding disentangling in beta-{VAE}},
  author = {Burgess, Christopher P. and Higgins, Irina and Pal, Arka and Matthey, Loic and
            Watters, Nick and Desjardins, Guillaume and Lerchner, Alexander},
  journal = {arXiv preprint arXiv:1804.03599},
  year = {2018}
}"""
ADAPTS = "nothing: the capacity of the KL is scheduled"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of AnnealedVAE."""

    gamma: float = 1000.0
    """Weight of the distance of the KL from the capacity."""
    capacity: float = 25.0
    """Last capacity, nats; the settings of disentanglement_lib's study are 5 to 100."""
    schedule: Literal["fitted", "paper"] = "fitted"
    """How the capacity rises: over a part of the run, or over a number of steps as published."""
    rising: float = 0.33
    """Fraction of the run after which the fitted schedule reaches `capacity`."""
    period: int = 100_000
    """Steps after which the published schedule reaches `capacity`."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {
    "paper": {"schedule": "paper"},
    "dsprites": {"gamma": 100.0, "capacity": 20.0, "schedule": "paper"},
}


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of AnnealedVAE.

    Raises:
        ValueError: If `gamma` is negative, `rising` not in (0, 1], or `capacity` not positive.
    """
    del num_latents, num_train, image_shape
    if not 0 < config.rising <= 1:
        raise ValueError(f"`rising` must be in (0, 1]; got {config.rising}.")
    if not config.capacity > 0:
        raise ValueError(f"`capacity` must be positive, nats; got {config.capacity}.")
    fitted = max(1, round(config.rising * num_steps))
    steps = config.period if config.schedule == "paper" else fitted
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=CapacityKL(config.gamma, schedules.linear(0.0, config.capacity, steps=steps)),
    )
