"""A normal with sigma 1 for each pixel: half the squared error, without constants."""

import math

import torch

from autobeta.models.likelihoods._base import (
    AbstractLikelihood,
    Mean,
    PerImage,
    link_of,
    squared_error,
)
from autobeta.rules import Positive, checked
from autobeta.types import Images

SOURCE = "Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"


class Gaussian(AbstractLikelihood):
    """Normal with one fixed standard deviation: 0.5 SSE / sigma^2.

    Its constants are left out: methods that learn weights from its value would see them.

    Args:
        sigma: Standard deviation of a pixel, in units of the pixel range [0, 1].
        mean: linear, as the decoder gives it, or logistic, its logistic function.
    """

    @checked
    def __init__(self, sigma: Positive = 1.0, mean: Mean = "linear") -> None:
        super().__init__()
        self.link = link_of(mean)
        self.register_buffer("log_sigma", torch.tensor(math.log(sigma)), persistent=False)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Half the squared error over the variance, summed over pixels."""
        return 0.5 * squared_error(self.link(outputs), x) * torch.exp(-2 * self.log_sigma)


build = Gaussian
