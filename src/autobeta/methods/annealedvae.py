"""AnnealedVAE: the KL is pulled to a capacity that rises from zero.

    loss = reconstruction + stiffness / 2 * (kl - C(step))^2      (default)
    loss = reconstruction + gamma * |kl - C(step)|                (published, with a `gamma`)

Published: gamma 1000, C from 0 to 25 nats in a straight line over 100,000 steps, of the 300,000 of
disentanglement_lib's study. Short runs: by default C rises over 90 % of the run, so that the nats
are learned as they are allowed; `schedule="paper"` counts steps as published.

Deviations:
    The default schedule is fitted to the run's length, and the default pull is squared: with the
    published one the KL follows, but Adam sees little of the reconstruction beside gamma, and in
    runs of some thousand steps the nats carry next to nothing (`reproductions/baselines/`).
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import Facts, Recipe, warn_unfinished
from autobeta.objectives import Elbo
from autobeta.rules import PositiveWeight, Settings, Share, Steps, Weight
from autobeta.weighting import CapacityKL, SquaredCapacityKL, schedules

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

_PAPER = {"schedule": "paper", "architecture": "burgess", "likelihood": "bernoulli"}
PRESETS: dict[str, dict[str, object]] = {
    "paper": {"gamma": 1000.0, **_PAPER},
    # 1Konny/Beta-VAE, run_dsprites_B_gamma100_z10.sh
    "dsprites": {"gamma": 100.0, "capacity": 20.0, **_PAPER, "lr": 5e-4, "batch_size": 64},
}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of AnnealedVAE."""

    stiffness: PositiveWeight = 3.0
    """Weight of the KL per nat of its distance from the capacity."""
    gamma: Weight | None = None
    """Weight of the distance itself, as published, in place of `stiffness`; 1000 in the paper."""
    capacity: PositiveWeight = 25.0
    """Last capacity, nats; the settings of disentanglement_lib's study are 5 to 100."""
    schedule: Literal["fitted", "paper"] = "fitted"
    """How the capacity rises: over a part of the run, or over a number of steps as published."""
    rising: Share = 0.9
    """Fraction of the run after which the fitted schedule reaches `capacity`."""
    period: Steps = 100_000
    """Steps after which the published schedule reaches `capacity`."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of AnnealedVAE."""
    fitted = max(1, round(config.rising * facts.num_steps))
    steps = config.period if config.schedule == "paper" else fitted
    capacity = schedules.linear(0.0, config.capacity, steps=steps)
    if config.schedule == "paper":
        warn_unfinished(capacity, config.capacity, facts)
    if config.gamma is None:
        return Recipe(objective=Elbo(), weighting=SquaredCapacityKL(config.stiffness, capacity))
    return Recipe(objective=Elbo(), weighting=CapacityKL(config.gamma, capacity))
