"""Cyclical annealing: beta rises from zero to its last value several times.

    loss = reconstruction + beta(step) * kl

Each of `cycles` equal parts of the run begins with beta 0, rises in a straight line over the
fraction `rising` of the part, and is held for the rest.

Deviations:
    The paper trains on text; its schedule is taken over as it is.
"""

from dataclasses import dataclass

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
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


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of cyclical annealing."""

    beta: float = 1.0
    """Weight of the KL at which each cycle is held."""
    cycles: int = 4
    """Number of cycles in the run."""
    rising: float = 0.5
    """Fraction of a cycle in which beta rises."""
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
    """Objects of a VAE with cyclical annealing.

    Raises:
        ValueError: If there are no cycles or more than steps, `rising` is not in (0, 1], or beta
            is negative.
    """
    del num_latents, num_train, image_shape
    if config.cycles < 1 or config.beta < 0:
        raise ValueError(
            f"`cycles` must be at least 1 and `beta` at least 0; got {config.cycles} and "
            f"{config.beta}."
        )
    period = num_steps / config.cycles
    beta = schedules.cyclical(config.beta, period=period, rising=config.rising)
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=ScheduledWeights({"kl": beta}),
    )
