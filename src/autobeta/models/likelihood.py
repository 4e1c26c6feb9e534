"""Likelihoods p(x|z): the negative log-likelihood of images and the mean image.

Every likelihood maps decoder outputs to a mean in (0, 1) by the logistic function, so one decoder
serves all. `nll` sums over pixels and channels, one value per image, in nats.
"""

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "batch channel height width"]
PerImage = Float[Tensor, " batch"]

_LOG_2PI = math.log(2 * math.pi)


class AbstractLikelihood(nn.Module):
    """Interface: decoder outputs and images to nats per image.

    `log_sigma`, a 0-d tensor, is the log standard deviation of a pixel, 0 where there is none.
    """

    log_sigma: Tensor

    @abstractmethod
    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Negative log-likelihood, summed over pixels, shape (batch,), nats."""

    def mean_image(self, outputs: Images) -> Images:
        """Mean of p(x|z), values in (0, 1)."""
        return torch.sigmoid(outputs)


def squared_error(outputs: Images, x: Images) -> PerImage:
    """Squared error of the mean image, summed over pixels and channels."""
    return (torch.sigmoid(outputs) - x).square().sum(dim=(1, 2, 3))


class Bernoulli(AbstractLikelihood):
    """Pixel-wise Bernoulli: the sum of binary cross-entropies on logits, in nats."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_sigma", torch.zeros(()), persistent=False)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Binary cross-entropy, summed over pixels."""
        return F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(dim=(1, 2, 3))


class Gaussian(AbstractLikelihood):
    """Normal with one fixed standard deviation: 0.5 SSE / sigma^2, without its constants.

    The constants would shift the reconstruction term without moving its gradient, but methods
    that learn weights from its value would see them (see `methods/lvae.py`).

    Args:
        sigma: Standard deviation of a pixel, in units of the pixel range [0, 1].

    Raises:
        ValueError: If `sigma` is not positive.
    """

    def __init__(self, sigma: float = 1.0) -> None:
        super().__init__()
        if not sigma > 0:
            raise ValueError(f"`sigma` must be positive; got {sigma}. A usual value is 1.")
        log_sigma = torch.tensor(math.log(sigma))
        self.register_buffer("log_sigma", log_sigma, persistent=False)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Half the squared error over the variance, summed over pixels."""
        return 0.5 * squared_error(outputs, x) * torch.exp(-2 * self.log_sigma)


def soft_lower_bound(value: Tensor, lower: float) -> Tensor:
    """Bound `value` smoothly from below: lower + softplus(value - lower)."""
    return lower + F.softplus(value - lower)


def normal_nll(outputs: Images, x: Images, log_sigma: Float[Tensor, ""]) -> PerImage:
    """Full negative log-density of a normal with one shared standard deviation, in nats."""
    num_values = x[0].numel()
    half_sse = 0.5 * squared_error(outputs, x) * torch.exp(-2 * log_sigma)
    return half_sse + num_values * (log_sigma + 0.5 * _LOG_2PI)


class LearnedSigmaGaussian(AbstractLikelihood):
    """Normal with one standard deviation shared by all pixels, a parameter of the network.

    Args:
        log_sigma_min: Soft lower bound of log sigma.

    Source:
        Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, 2021,
        https://arxiv.org/abs/2006.13202
    """

    def __init__(self, log_sigma_min: float = -6.0) -> None:
        super().__init__()
        self.log_sigma_min = log_sigma_min
        self.raw_log_sigma = nn.Parameter(torch.zeros(()))

    @property
    def log_sigma(self) -> Float[Tensor, ""]:  # type: ignore[override]
        """The bounded log standard deviation."""
        return soft_lower_bound(self.raw_log_sigma, self.log_sigma_min)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Full negative log-density, summed over pixels."""
        return normal_nll(outputs, x, self.log_sigma)


class OptimalSigmaGaussian(AbstractLikelihood):
    """Normal whose shared standard deviation is the maximum-likelihood one of each batch.

    sigma^2 = mean squared error over batch, channels and pixels; the gradient flows through it.
    The buffer `log_sigma` keeps the value of the last training batch; `eval()` uses that one,
    so that scoring an image does not depend on its batch.

    Args:
        log_sigma_min: Soft lower bound of log sigma.

    Source:
        Rybkin et al., 2021, the "optimal sigma" VAE, https://arxiv.org/abs/2006.13202
    Deviations:
        The authors recompute sigma on evaluation batches too.
    """

    def __init__(self, log_sigma_min: float = -6.0) -> None:
        super().__init__()
        self.log_sigma_min = log_sigma_min
        self.register_buffer("log_sigma", torch.zeros(()))

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Full negative log-density, summed over pixels."""
        if not self.training:
            return normal_nll(outputs, x, self.log_sigma)
        mse = squared_error(outputs, x).mean() / x[0].numel()
        tiny = torch.finfo(mse.dtype).tiny
        log_sigma = soft_lower_bound(0.5 * torch.log(mse + tiny), self.log_sigma_min)
        with torch.no_grad():
            self.log_sigma.copy_(log_sigma)
        return normal_nll(outputs, x, log_sigma)
