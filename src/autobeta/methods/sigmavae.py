"""sigma-VAE: the weight of the reconstruction is the decoder's calibrated variance.

    loss = D/2 log(2 pi sigma^2) + SSE / (2 sigma^2) + kl,   D values per image

sigma belongs to the likelihood; the loss itself is unweighted. The equivalent beta on half the
squared error is sigma^2, which the log shows beside beta = 1.

Deviations:
    The decoder's mean is what the network gives, where the authors' code has a logistic function:
    on images of mostly one value that one saturates (`mean="logistic"`; docs/methods/sigmavae.md).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from autobeta.methods._base import Facts, Recipe
from autobeta.models import LearnedSigmaGaussian, OptimalSigmaGaussian
from autobeta.objectives import Elbo
from autobeta.rules import Range, Settings
from autobeta.weighting import ScheduledWeights

SOURCE = (
    "Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, ICML 2021, "
    "https://arxiv.org/abs/2006.13202"
)
CITATION = """@inproceedings{rybkin2021simple,
  title = {Simple and Effective {VAE} Training with Calibrated Decoders},
  author = {Rybkin, Oleh and Daniilidis, Kostas and Levine, Sergey},
  booktitle = {International Conference on Machine Learning},
  year = {2021}
}"""
ADAPTS = "sigma of the likelihood: learned, or optimal for each batch"
LIKELIHOOD = "gaussian with a sigma of its own"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of sigma-VAE."""

    sigma: Literal["optimal", "learned"] = "optimal"
    """optimal: the root mean squared error of each batch; learned: a parameter."""
    log_sigma_min: Annotated[float, Range(-20, 5)] = -6.0
    """Soft lower bound of log sigma, as in the authors' code."""
    mean: Literal["linear", "logistic"] = "linear"
    """The decoder's mean as the network gives it, or its logistic function."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of sigma-VAE."""
    kinds = {"optimal": OptimalSigmaGaussian, "learned": LearnedSigmaGaussian}
    return Recipe(
        likelihood=kinds[config.sigma](config.log_sigma_min, config.mean),
        objective=Elbo(),
        weighting=ScheduledWeights({}),
    )
