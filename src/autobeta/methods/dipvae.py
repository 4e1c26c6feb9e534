"""DIP-VAE: the covariance of the codes is pulled to the identity.

    loss = reconstruction + kl + lambda_od * sum of squared covariances
                               + lambda_d * sum of squared (variance - 1)

Kind I takes the covariance of the posterior means, kind II that of q(z), which adds the mean
posterior variance (`objectives/moments.py`).

Deviations:
    `lambda_d` defaults to 10 lambda_od for I and to lambda_od for II, as in disentanglement_lib's
    study.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import CovariancePenalty
from autobeta.rules import Settings, Weight
from autobeta.weighting import ScheduledWeights

SOURCE = "Kumar et al., DIP-VAE, ICLR 2018, https://arxiv.org/abs/1711.00848"
CITATION = """@inproceedings{kumar2018variational,
  title = {Variational Inference of Disentangled Latent Concepts from Unlabeled Observations},
  author = {Kumar, Abhishek and Sattigeri, Prasanna and Balakrishnan, Avinash},
  booktitle = {International Conference on Learning Representations},
  year = {2018}
}"""
ADAPTS = "nothing: the weights of the covariances are fixed"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of DIP-VAE."""

    kind: Literal["i", "ii"] = "ii"
    """Covariance of the posterior means (i), or of q(z) (ii)."""
    lambda_od: Weight = 10.0
    """Weight of the covariances between latents; disentanglement_lib's study has 1 to 50."""
    lambda_d: Weight | None = None
    """Weight of the variances less 1; None for 10 `lambda_od` (i) or `lambda_od` (ii)."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of DIP-VAE."""
    factor = 10.0 if config.kind == "i" else 1.0
    lambda_d = factor * config.lambda_od if config.lambda_d is None else config.lambda_d
    return Recipe(
        objective=CovariancePenalty(config.kind),
        weighting=ScheduledWeights({"off_diagonal": config.lambda_od, "diagonal": lambda_d}),
    )
