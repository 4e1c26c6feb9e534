"""Variational autoencoder: the unweighted evidence lower bound.

    loss = reconstruction + kl

Deviations:
    None.
"""

from dataclasses import dataclass

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.weighting import ScheduledWeights

SOURCE = "Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"
CITATION = """@article{kingma2013auto,
  title = {Auto-Encoding Variational {Bayes}},
  author = {Kingma, Diederik P. and Welling, Max},
  journal = {arXiv preprint arXiv:1312.6114},
  year = {2013}
}"""
ADAPTS = "nothing: beta is 1"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the VAE."""

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
    """Objects of the VAE."""
    del num_latents, num_train, image_shape, num_steps
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=ScheduledWeights({}),
    )
