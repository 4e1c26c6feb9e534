"""Networks and distributions: posterior, likelihood, encoders, decoders, VAE."""

from autobeta.models.discriminator import Discriminator
from autobeta.models.likelihood import (
    AbstractLikelihood,
    Bernoulli,
    Gaussian,
    LearnedSigmaGaussian,
    OptimalSigmaGaussian,
)
from autobeta.models.posterior import DiagonalGaussian, log_normal
from autobeta.models.vae import VAE, VAEOutput

__all__ = [
    "VAE",
    "AbstractLikelihood",
    "Bernoulli",
    "DiagonalGaussian",
    "Discriminator",
    "Gaussian",
    "LearnedSigmaGaussian",
    "OptimalSigmaGaussian",
    "VAEOutput",
    "log_normal",
]
