"""A pilot: beta low, then rising exponentially, so that one short run traces rate and distortion.

    loss = reconstruction + beta(step) * kl

For the fraction `learning` of the run beta is `beta_low`: the network learns to use as many nats
as it can. Then log beta rises in a straight line to log `beta_high`, and KL falls to nothing. On
the way -dR/dKL, the slope of the rate-distortion curve, is beta. `autobeta suggest` reads set
points from it. The network that is left at the end is of no use.

Deviations:
    None; there is no paper.
"""

from dataclasses import dataclass

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.weighting import ScheduledWeights, schedules

SOURCE = "Ours: autobeta, docs/suggest.md"
CITATION = """@software{autobeta,
  title = {autobeta: variational autoencoders whose loss weights set themselves},
  note = {Method pilot}
}"""
ADAPTS = "nothing: beta is scheduled, low and then rising"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a pilot."""

    beta_low: float = 0.1
    """beta of the first part, positive."""
    beta_high: float = 1000.0
    """beta at the end."""
    learning: float = 0.5
    """Fraction of the run with `beta_low`."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {}


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of a pilot.

    Raises:
        ValueError: If 0 < `beta_low` < `beta_high` or 0 <= `learning` < 1 does not hold.
    """
    del num_latents, num_train, image_shape
    if not 0 < config.beta_low < config.beta_high:
        raise ValueError(
            "`beta_low` must be positive and below `beta_high`; got "
            f"{config.beta_low} and {config.beta_high}."
        )
    if not 0 <= config.learning < 1:
        raise ValueError(f"`learning` must be in [0, 1); got {config.learning}.")
    begin = round(config.learning * num_steps)
    beta = schedules.exponential(
        config.beta_low, config.beta_high, begin=begin, end_step=max(begin + 1, num_steps - 1)
    )
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=ScheduledWeights({"kl": beta}),
    )
