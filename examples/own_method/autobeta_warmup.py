"""KL warm-up: the weight of the KL rises from 0 to 1 at the start of training.

    loss = reconstruction + beta_t * kl,   beta_t = min(1, t / warmup)

Deviations:
    The rise is a straight line; the paper's is a logistic curve.
"""

from dataclasses import dataclass

from autobeta.methods import Facts, Recipe, Settings
from autobeta.objectives import Elbo
from autobeta.rules import Count
from autobeta.weighting import ScheduledWeights, schedules

SOURCE = "Bowman et al., Generating Sentences, 2016, https://arxiv.org/abs/1511.06349"
CITATION = """@inproceedings{bowman2016generating,
  title = {Generating Sentences from a Continuous Space},
  author = {Bowman, Samuel R. and Vilnis, Luke and Vinyals, Oriol and Dai, Andrew M. and
            Jozefowicz, Rafal and Bengio, Samy},
  booktitle = {Conference on Computational Natural Language Learning},
  year = {2016}
}"""
ADAPTS = "beta, on a schedule"
PRESETS: dict[str, dict[str, object]] = {"short": {"warmup": 1000, "lr": 1e-3}}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of KL warm-up."""

    warmup: Count = 10_000
    """Steps until the KL has its full weight."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of KL warm-up."""
    beta = schedules.linear(0.0, 1.0, steps=config.warmup)
    return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": beta}))
