"""A normal with the best sigma of each batch whose mean goes through the logistic function."""

import functools

from autobeta.models.likelihoods.optimalsigma import SOURCE, OptimalSigmaGaussian

__all__ = ["SOURCE", "build"]

build = functools.partial(OptimalSigmaGaussian, mean="logistic")
