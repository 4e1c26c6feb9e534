"""A normal with one learned sigma whose mean goes through the logistic function."""

import functools

from autobeta.models.likelihoods.learnedsigma import SOURCE, LearnedSigmaGaussian

__all__ = ["SOURCE", "build"]

build = functools.partial(LearnedSigmaGaussian, mean="logistic")
