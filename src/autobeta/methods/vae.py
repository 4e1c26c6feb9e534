"""Variational autoencoder: the unweighted evidence lower bound.

    loss = reconstruction + kl

Deviations:
    None.
"""

from dataclasses import dataclass

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import Settings
from autobeta.weighting import ScheduledWeights

SOURCE = "Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"
CITATION = """@article{kingma2013auto,
  title = {Auto-Encoding Variational {Bayes}},
  author = {Kingma, Diederik P. and Welling, Max},
  journal = {arXiv preprint arXiv:1312.6114},
  year = {2013}
}"""
ADAPTS = "nothing: beta is 1"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of the VAE."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of the VAE."""
    return Recipe(objective=Elbo(), weighting=ScheduledWeights({}))
