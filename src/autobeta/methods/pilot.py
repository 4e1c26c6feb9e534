"""A pilot: beta low, then rising exponentially, so that one short run traces rate and distortion.

    loss = reconstruction + beta(step) * kl

For the fraction `learning` of the run beta is `beta_low`: the network learns to use as many nats
as it can. Then log beta rises in a straight line to log `beta_high`, and KL falls to nothing. On
the way -dR/dKL, the slope of the rate-distortion curve, is beta. `autobeta suggest` reads set
points from it. The images' own entropy is taken off a cross-entropy: it differs between batches
by more than the curve falls. The network that is left at the end is of no use.

Deviations:
    None; there is no paper.
"""

from dataclasses import dataclass

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import BelowOne, PositiveWeight, Settings
from autobeta.weighting import ScheduledWeights, schedules

SOURCE = "Ours: autobeta, docs/suggest.md"
CITATION = """@software{autobeta,
  title = {autobeta: variational autoencoders whose loss weights set themselves},
  note = {Method pilot}
}"""
ADAPTS = "nothing: beta is scheduled, low and then rising"
LISTED = False  # it is for `autobeta suggest`, and is no method to compare
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of a pilot."""

    beta_low: PositiveWeight = 0.1
    """beta of the first part."""
    beta_high: PositiveWeight = 1000.0
    """beta at the end."""
    learning: BelowOne = 0.5
    """Fraction of the run with `beta_low`."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of a pilot; a ValueError if `beta_low` is not below `beta_high`."""
    if not config.beta_low < config.beta_high:
        raise ValueError(
            f"`beta_low` must be below `beta_high`, {config.beta_high}; got {config.beta_low}. "
            "The defaults are 0.1 and 1000."
        )
    begin = round(config.learning * facts.num_steps)
    end = max(begin + 1, facts.num_steps - 1)
    beta = schedules.exponential(config.beta_low, config.beta_high, begin=begin, end_step=end)
    return Recipe(objective=Elbo(relative=True), weighting=ScheduledWeights({"kl": beta}))
