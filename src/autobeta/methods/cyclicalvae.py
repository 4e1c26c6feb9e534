"""Cyclical annealing: beta rises from zero to its last value several times.

    loss = reconstruction + beta(step) * kl

Each of `cycles` equal parts of the run begins with beta 0, rises in a straight line over the
fraction `rising` of the part, and is held for the rest.

Deviations:
    The paper trains on text; its schedule is taken over as it is.
"""

from dataclasses import dataclass

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import Count, Settings, Share, Weight
from autobeta.weighting import ScheduledWeights, schedules

SOURCE = "Fu et al., Cyclical Annealing Schedule, NAACL 2019, https://arxiv.org/abs/1903.10145"
CITATION = """@inproceedings{fu2019cyclical,
  title = {Cyclical Annealing Schedule: A Simple Approach to Mitigating {KL} Vanishing},
  author = {Fu, Hao and Li, Chunyuan and Liu, Xiaodong and Gao, Jianfeng and Celikyilmaz, Asli and
            Carin, Lawrence},
  booktitle = {Conference of the North {A}merican Chapter of the Association for Computational
               Linguistics},
  year = {2019}
}"""
ADAPTS = "nothing: beta is scheduled, in cycles"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of cyclical annealing."""

    beta: Weight = 1.0
    """Weight of the KL at which each cycle is held."""
    cycles: Count = 4
    """Number of cycles in the run."""
    rising: Share = 0.5
    """Fraction of a cycle in which beta rises."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of cyclical annealing; a ValueError if a cycle has no step but its first."""
    if config.cycles >= facts.num_steps:
        raise ValueError(
            f"`cycles` must be below the run's {facts.num_steps} steps, since beta is 0 in the "
            f"first of each; got {config.cycles}. The default is 4."
        )
    period = facts.num_steps / config.cycles
    beta = schedules.cyclical(config.beta, period=period, rising=config.rising)
    return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": beta}))
