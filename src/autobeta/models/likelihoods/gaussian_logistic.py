"""A normal with sigma 1 whose mean goes through the logistic function, as some have published."""

import functools

from autobeta.models.likelihoods.gaussian import Gaussian

SOURCE = "The squared error of a sigmoid output in disentanglement_lib and 1Konny/Beta-VAE"

build = functools.partial(Gaussian, mean="logistic")
