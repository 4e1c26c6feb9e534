"""GECO: the reconstruction is held at a target by a multiplier, and the KL is what it takes.

    loss = kl + lambda_t * (reconstruction - target)

lambda grows while the moving average of the reconstruction is above the target, and falls below it
(`weighting/lagrangian.py`). beta is 1 / lambda.

Deviations:
    The constraint is on the reconstruction term in nats, for a Gaussian of sigma 1 half the
    squared error, not on the squared error less kappa squared; for a Bernoulli it is what exceeds
    the images' own entropy. `target` depends on data and
    likelihood; its default is for dSprites with bernoulli.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Annotated

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import BelowOne, PositiveWeight, Range, Settings
from autobeta.weighting import ReconstructionConstraint

SOURCE = "Rezende & Viola, Taming VAEs, 2018, https://arxiv.org/abs/1810.00597"
CITATION = """@article{rezende2018taming,
  title = {Taming {VAEs}},
  author = {Rezende, Danilo Jimenez and Viola, Fabio},
  journal = {arXiv preprint arXiv:1810.00597},
  year = {2018}
}"""
ADAPTS = "beta, controlled so that the reconstruction reaches a target"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of GECO."""

    target: Annotated[float, Range(-1e9, 1e9)] = 60.0
    """Reconstruction to hold, nats per image."""
    decay: BelowOne = 0.99
    """Of the moving average of the constraint."""
    rate: PositiveWeight = 1e-4
    """Change of log lambda per nat and step."""
    max_change: PositiveWeight = 0.001
    """Largest change of log lambda in a step."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of GECO."""
    weighting = ReconstructionConstraint(**vars(config))
    farthest = math.exp(min(config.max_change * facts.num_steps, 700))
    if farthest < 2:
        warnings.warn(
            f"`max_change` lets lambda change by at most a factor of {farthest:.3g} in a run of "
            f"{facts.num_steps:,} steps, so that the target is hardly pursued. Train longer, or "
            f"raise --method.max-change: {5 / facts.num_steps:.2g} allows a factor of 150.",
            stacklevel=2,
        )
    return Recipe(objective=Elbo(relative=True), weighting=weighting)
