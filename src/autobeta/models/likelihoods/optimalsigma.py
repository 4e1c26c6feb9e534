"""A normal whose sigma is the best one for each batch, with its constants."""

import torch

from autobeta.models.likelihoods._base import (
    AbstractLikelihood,
    Mean,
    PerImage,
    link_of,
    normal_nll,
    soft_lower_bound,
    squared_error,
)
from autobeta.types import Images

SOURCE = (
    "Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, ICML 2021, "
    "https://arxiv.org/abs/2006.13202"
)


class OptimalSigmaGaussian(AbstractLikelihood):
    """Normal whose sigma^2 is each batch's mean squared error; the gradient flows through it.

    The buffer `log_sigma` keeps the value of the last training batch; `eval()` uses that one,
    so that scoring an image does not depend on its batch.

    Args:
        log_sigma_min: Soft lower bound of log sigma.
        mean: linear, as the decoder gives it, or logistic, its logistic function.

    Deviations:
        The authors recompute sigma on evaluation batches too.
    """

    couples_images = True
    is_density = True

    def __init__(self, log_sigma_min: float = -6.0, mean: Mean = "linear") -> None:
        super().__init__()
        self.link = link_of(mean)
        self.log_sigma_min = log_sigma_min
        self.register_buffer("log_sigma", torch.zeros(()))

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Full negative log-density, summed over pixels."""
        mean = self.link(outputs)
        if not self.training:
            return normal_nll(mean, x, self.log_sigma)
        mse = squared_error(mean, x).mean() / x[0].numel()
        tiny = torch.finfo(mse.dtype).tiny
        log_sigma = soft_lower_bound(0.5 * torch.log(mse + tiny), self.log_sigma_min)
        with torch.no_grad():
            self.log_sigma.copy_(log_sigma)
        return normal_nll(mean, x, log_sigma)


build = OptimalSigmaGaussian
