"""A normal with the best sigma of each batch whose mean goes through the logistic function."""

import functools

from autobeta.models.likelihoods.optimalsigma import OptimalSigmaGaussian

SOURCE = "The decoder of the authors' code, https://github.com/orybkin/sigma-vae-pytorch"

build = functools.partial(OptimalSigmaGaussian, mean="logistic")
