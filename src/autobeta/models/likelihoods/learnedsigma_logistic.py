"""A normal with one learned sigma whose mean goes through the logistic function."""

import functools

from autobeta.models.likelihoods.learnedsigma import LearnedSigmaGaussian

SOURCE = "The decoder of the authors' code, https://github.com/orybkin/sigma-vae-pytorch"

build = functools.partial(LearnedSigmaGaussian, mean="logistic")
