"""AbstractLikelihood: the negative log-likelihood of images, and the mean image.

Every likelihood here maps decoder outputs to a mean in (0, 1) by the logistic function, so one
decoder serves all. `nll` sums over pixels and channels, one value per image, in nats.
"""

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.types import Images

PerImage = Float[Tensor, " batch"]

_LOG_2PI = math.log(2 * math.pi)


class AbstractLikelihood(nn.Module):
    """Interface: decoder outputs and images to nats per image.

    `log_sigma`, a 0-d tensor, is the log standard deviation of a pixel, 0 where there is none.
    """

    log_sigma: Tensor
    couples_images = False
    """Whether the images of a batch count together; several processes then do so each for its own
    part."""

    @abstractmethod
    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Negative log-likelihood, summed over pixels, shape (batch,), nats."""

    def mean_image(self, outputs: Images) -> Images:
        """Mean of p(x|z), values in (0, 1)."""
        return torch.sigmoid(outputs)


def squared_error(outputs: Images, x: Images) -> PerImage:
    """Squared error of the mean image, summed over pixels and channels."""
    return (torch.sigmoid(outputs) - x).square().sum(dim=(1, 2, 3))


def soft_lower_bound(value: Tensor, lower: float) -> Tensor:
    """Bound `value` smoothly from below: lower + softplus(value - lower)."""
    return lower + F.softplus(value - lower)


def normal_nll(outputs: Images, x: Images, log_sigma: Float[Tensor, ""]) -> PerImage:
    """Full negative log-density of a normal with one shared standard deviation, in nats."""
    num_values = x[0].numel()
    half_sse = 0.5 * squared_error(outputs, x) * torch.exp(-2 * log_sigma)
    return half_sse + num_values * (log_sigma + 0.5 * _LOG_2PI)
