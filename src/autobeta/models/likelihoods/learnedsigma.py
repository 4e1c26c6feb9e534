"""A normal with one learned sigma for all pixels, with its constants."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models.likelihoods._base import (
    AbstractLikelihood,
    Mean,
    PerImage,
    link_of,
    normal_nll,
    soft_lower_bound,
)
from autobeta.types import Images

SOURCE = (
    "Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, ICML 2021, "
    "https://arxiv.org/abs/2006.13202"
)


class LearnedSigmaGaussian(AbstractLikelihood):
    """Normal with one standard deviation shared by all pixels, a parameter of the network.

    Args:
        log_sigma_min: Soft lower bound of log sigma.
        mean: linear, as the decoder gives it, or logistic, its logistic function.
    """

    is_density = True

    def __init__(self, log_sigma_min: float = -6.0, mean: Mean = "linear") -> None:
        super().__init__()
        self.link = link_of(mean)
        self.log_sigma_min = log_sigma_min
        self.raw_log_sigma = nn.Parameter(torch.zeros(()))

    @property
    def log_sigma(self) -> Float[Tensor, ""]:  # type: ignore[override]
        """The bounded log standard deviation."""
        return soft_lower_bound(self.raw_log_sigma, self.log_sigma_min)

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Full negative log-density, summed over pixels."""
        return normal_nll(self.link(outputs), x, self.log_sigma)


build = LearnedSigmaGaussian
