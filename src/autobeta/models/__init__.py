"""Networks and distributions: posterior, likelihoods, networks, VAE."""

from autobeta.models.discriminator import Discriminator
from autobeta.models.likelihoods._base import AbstractLikelihood
from autobeta.models.likelihoods.bernoulli import Bernoulli, entropy
from autobeta.models.likelihoods.continuousbernoulli import ContinuousBernoulli
from autobeta.models.likelihoods.gaussian import Gaussian
from autobeta.models.likelihoods.laplace import Laplace
from autobeta.models.likelihoods.learnedsigma import LearnedSigmaGaussian
from autobeta.models.likelihoods.optimalsigma import OptimalSigmaGaussian
from autobeta.models.networks._transposed import TransposedConv
from autobeta.models.posterior import DiagonalGaussian, log_normal
from autobeta.models.vae import VAE, VAEOutput

__all__ = [
    "VAE",
    "AbstractLikelihood",
    "Bernoulli",
    "ContinuousBernoulli",
    "DiagonalGaussian",
    "Discriminator",
    "Gaussian",
    "Laplace",
    "LearnedSigmaGaussian",
    "OptimalSigmaGaussian",
    "TransposedConv",
    "VAEOutput",
    "entropy",
    "log_normal",
]
