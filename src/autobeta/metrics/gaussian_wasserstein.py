"""Wasserstein distance of the codes from independence, as if they were Gaussian."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check_codes, clipped, standardised

SOURCE = "Xiao and Wang 2019, https://arxiv.org/abs/1912.12818"
RANGE = (0.0, 1e999)  # infinity, as a literal that can be read without importing
HIGHER_IS_BETTER = False
DEFAULT = False
NEEDS = ("codes",)
LAWS = ("points", "latents", "factors", "signs", "values", "shift")


class Wasserstein(NamedTuple):
    """The squared distance, and its share of the total variance; lower is better."""

    distance: float
    normalised: float


def gaussian_wasserstein(
    codes: ArrayLike, factors: ArrayLike | None = None, *, seed: int = 0
) -> Wasserstein:
    """Squared 2-Wasserstein distance of a Gaussian from the product of its marginals.

        W = 2 tr(S) - 2 tr((D^1/2 S D^1/2)^1/2),   S the covariance of the codes, D its diagonal

    Like the total correlation it measures linear dependence between latents and knows nothing of
    factors; unlike it, it is finite for copies, and latents of small variance count little. W
    grows with the variance of the codes, in squared units of which it is; `normalised` is W /
    tr(S), in [0, 2]. A constant latent changes nothing. Factors and seed are not used.

    Source:
        Xiao and Wang, Disentangled Representation Learning with Wasserstein Total Correlation,
        2019, https://arxiv.org/abs/1912.12818; formula and check: disentanglement_lib 86a644d,
        evaluation/metrics/unsupervised_metrics.py.

    Deviations:
        The paper estimates the distance of the true distributions; here both are Gaussian.

    Example:
        >>> z = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> round(gaussian_wasserstein(z).normalised, 6)
        0.0
    """
    check_options({}, seed)
    z = check_codes(codes).astype(np.float64)
    scale = np.ptp(z, axis=0).max()
    if scale == 0:
        return Wasserstein(0.0, 0.0)
    variance = (z / scale).var(axis=0, ddof=1)
    # the roots of the eigenvalues of D^1/2 S D^1/2 are singular values of codes scaled twice
    roots = np.linalg.svd(np.linalg.qr(standardised(z) * variance, mode="r"), compute_uv=False)
    total = float(variance.sum())
    distance = clipped(2 * (total - roots.sum() / np.sqrt(len(z))), 2 * total)
    return Wasserstein(distance * float(scale) ** 2, distance / total)
