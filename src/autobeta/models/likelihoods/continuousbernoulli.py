"""A continuous Bernoulli for each pixel: a density on [0, 1], the Bernoulli's normalised."""

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli as Distribution

from autobeta.models.likelihoods._base import AbstractLikelihood, PerImage
from autobeta.types import Images

SOURCE = (
    "Loaiza-Ganem & Cunningham, The continuous Bernoulli, NeurIPS 2019, "
    "https://arxiv.org/abs/1907.06845"
)


class ContinuousBernoulli(AbstractLikelihood):
    """Pixel-wise continuous Bernoulli on logits, with its constant, which depends on them.

    Being a density, it may be negative. Its mean is nearer to 1/2 than the Bernoulli's.
    """

    is_density = True

    def __init__(self) -> None:
        super().__init__()
        self.link = _mean
        self.register_buffer("log_sigma", torch.zeros(()), persistent=False)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Negative log-density, summed over pixels."""
        found = Distribution(logits=outputs, validate_args=False)
        return -found.log_prob(x).sum(dim=(1, 2, 3))


def _mean(outputs: Tensor) -> Tensor:
    return Distribution(logits=outputs, validate_args=False).mean


build = ContinuousBernoulli
