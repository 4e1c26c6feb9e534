"""Kernel distance between the codes of a batch and the prior: InfoVAE."""

import torch
from jaxtyping import Float
from torch import Tensor

from autobeta.models import VAEOutput
from autobeta.objectives._base import AbstractObjective
from autobeta.objectives.elbo import elbo_terms
from autobeta.rules import Positive, checked
from autobeta.types import Images, Scalar, Terms


def squared_mmd(z: Float[Tensor, "batch latent"], width: float) -> Scalar:
    """Unbiased estimate of the squared maximum mean discrepancy to a standard normal prior.

        MMD^2 = E k(z, z') - 2 E k(z, p) + E k(p, p'),  k(a, b) = exp(-|a - b|^2 / (2 width))

    The expectations over the prior are in closed form, so that no samples of it are drawn.

    It is about 0 if q(z) is the prior, and then as often below as above it; at most 2.

    Args:
        z: Samples of q(z); a ValueError if there are fewer than two.
        width: Squared width of the kernel, in squared units of the latents.

    Source:
        Zhao et al., InfoVAE, 2017, section 4 (MMD), https://arxiv.org/abs/1706.02262; the
        estimator is that of Gretton et al., A Kernel Two-Sample Test, JMLR 2012, lemma 6.

    Deviations:
        The authors draw samples of the prior and keep the pairs of a point with itself.
    """
    count, size = z.shape
    if count < 2:
        raise ValueError(f"`z` must have at least 2 samples; got {count}. Take larger batches.")
    squares = torch.cdist(z, z).square()
    # pairs of a point with itself, 1 each, are left out
    among = (torch.exp(-squares / (2 * width)).sum() - count) / (count * (count - 1))
    one = (width / (width + 1)) ** (size / 2)
    across = one * torch.exp(-z.square().sum(dim=1) / (2 * (width + 1))).mean()
    return among - 2 * across + (width / (width + 2)) ** (size / 2)


class MaximumMeanDiscrepancy(AbstractObjective):
    """Terms reconstruction, kl, and `mmd`, which has no unit.

    Args:
        width: See `squared_mmd`; half the squared number of latents is usual.
    """

    min_batch = 2
    couples_images = True

    @checked
    def __init__(self, width: Positive) -> None:
        super().__init__()
        self._width = width

    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms of one batch."""
        return {**elbo_terms(x, output), "mmd": squared_mmd(output.z, self._width)}
