"""Networks and distributions: posterior, likelihood, encoders, decoders, VAE."""

from autobeta.models.likelihood import (
    AbstractLikelihood,
    Bernoulli,
    Gaussian,
    LearnedSigmaGaussian,
    OptimalSigmaGaussian,
)
from autobeta.models.posterior import DiagonalGaussian
from autobeta.models.vae import VAE, VAEOutput

__all__ = [
    "VAE",
    "AbstractLikelihood",
    "Bernoulli",
    "DiagonalGaussian",
    "Gaussian",
    "LearnedSigmaGaussian",
    "OptimalSigmaGaussian",
    "VAEOutput",
]
