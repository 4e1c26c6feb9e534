"""AbstractLikelihood: the negative log-likelihood of images, and the mean image.

One decoder serves all: what it gives are logits, or the mean itself, as the likelihood's `link`
says. `nll` sums over pixels and channels, one value per image, in nats.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.types import Images

PerImage = Float[Tensor, " batch"]
Mean = Literal["linear", "logistic"]

_LOG_2PI = math.log(2 * math.pi)
_HALF_LEVEL = 0.5 / 255  # of an image of 8 bits


class AbstractLikelihood(nn.Module):
    """Interface: decoder outputs and images to nats per image.

    `log_sigma`, a 0-d tensor, is the log standard deviation of a pixel, 0 where there is none.
    `link` maps the decoder's outputs to the mean of p(x|z): the logistic function, unless a
    likelihood sets another. `is_density` says that `nll` has its constants and may be negative.
    """

    log_sigma: Tensor
    couples_images = False
    """Whether the images of a batch count together; several processes then do so each for its own
    part."""
    link: Callable[[Tensor], Tensor] = staticmethod(torch.sigmoid)
    is_density = False

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(type(self), "log_sigma"):  # a property of a subclass
            self.register_buffer("log_sigma", torch.zeros(()), persistent=False)

    @abstractmethod
    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Negative log-likelihood, summed over pixels, shape (batch,), nats."""

    def mean_image(self, outputs: Images) -> Images:
        """Mean of p(x|z), brought to [0, 1], as it is shown and scored."""
        return self.link(outputs).clamp(0, 1)

    def mean_logits(self, outputs: Images) -> Images:
        """Logits of the mean image; where these are not the outputs, at most half a level off.

        A mean of exactly 0 or 1 would make the cross-entropy of an image infinite.
        """
        if self.link is torch.sigmoid:
            return outputs
        return self.link(outputs).clamp(_HALF_LEVEL, 1 - _HALF_LEVEL).logit()


def link_of(mean: Mean) -> Callable[[Tensor], Tensor]:
    """The link of a distribution over all real values: none, or the logistic function.

    The logistic function saturates: where an output is far out, on images of mostly one value
    above all, its slope is gone and the decoder can't come back.
    """
    return torch.sigmoid if mean == "logistic" else torch.positive


def squared_error(mean: Images, x: Images) -> PerImage:
    """Squared error, summed over pixels and channels."""
    return (mean - x).square().sum(dim=(1, 2, 3))


def soft_lower_bound(value: Tensor, lower: float) -> Tensor:
    """Bound `value` smoothly from below: lower + softplus(value - lower)."""
    return lower + F.softplus(value - lower)


def normal_nll(mean: Images, x: Images, log_sigma: Float[Tensor, ""]) -> PerImage:
    """Full negative log-density of a normal with one shared standard deviation, in nats."""
    num_values = x[0].numel()
    half_sse = 0.5 * squared_error(mean, x) * torch.exp(-2 * log_sigma)
    return half_sse + num_values * (log_sigma + 0.5 * _LOG_2PI)
