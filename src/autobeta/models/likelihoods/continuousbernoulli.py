"""A continuous Bernoulli for each pixel: a density on [0, 1], the Bernoulli's normalised."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from autobeta.models.likelihoods._base import AbstractLikelihood, PerImage
from autobeta.types import Images

SOURCE = (
    "Loaiza-Ganem & Cunningham, The continuous Bernoulli, NeurIPS 2019, "
    "https://arxiv.org/abs/1907.06845"
)


class ContinuousBernoulli(AbstractLikelihood):
    """Pixel-wise continuous Bernoulli on logits, with its constant, which depends on them.

    Being a density, it may be negative. Its mean is nearer to 1/2 than the Bernoulli's. From the
    logits eta, -log p(x) = softplus(eta) - eta x - log(eta / tanh(eta / 2)).

    Deviations:
        The last term, the constant, is that of eta bounded by -16 and 16: at pure black and white
        the density has no upper bound, and runs on dSprites went for it (KL 1,667 nats after 1,000
        steps). torch's distribution bounds the probability alike, but all terms by it, so that a
        pixel that is far off beyond has no gradient.
    """

    is_density = True

    def __init__(self) -> None:
        super().__init__()
        self.link = _mean

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Negative log-density, summed over pixels."""
        constant = _log_constant(outputs.clamp(-_MOST, _MOST))
        return (softplus(outputs) - outputs * x - constant).sum(dim=(1, 2, 3))


_MOST = 16.0
_NEAR = 0.5  # of logits to 0, where differences of large numbers are taken as series


def _log_constant(eta: Tensor) -> Tensor:
    """log(eta / tanh(eta / 2)), which is even."""
    size = eta.abs()
    square = torch.where(size < _NEAR, eta, 0).square()
    series = torch.zeros_like(square)
    for term in (73 / 34214400, -127 / 4838400, 31 / 90720, -7 / 1440, 1 / 12):
        series = square * (term + series)
    far = torch.where(size < _NEAR, 1, size)
    log_tanh = torch.log(-torch.expm1(-far)) - torch.log1p(torch.exp(-far))
    return torch.where(size < _NEAR, math.log(2) + series, torch.log(far) - log_tanh)


def _mean(eta: Tensor) -> Tensor:
    """1 / (1 - exp(-eta)) - 1 / eta."""
    size = eta.abs()
    near = torch.where(size < _NEAR, eta, 0)
    square = near.square()
    series = torch.zeros_like(square)
    for term in (-1 / 1209600, 1 / 30240, -1 / 720, 1 / 12):
        series = term + square * series
    series = 0.5 + near * series
    far = torch.where(size < _NEAR, 1, size)
    low = 1 / far - 1 / torch.expm1(far)  # the mean of -far
    return torch.where(size < _NEAR, series, torch.where(eta < 0, low, 1 - low))


build = ContinuousBernoulli
