"""Total correlation of the codes, as if they were Gaussian."""

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check_codes, standardised

SOURCE = "Locatello et al. 2019, https://arxiv.org/abs/1811.12359"
RANGE = (0.0, 1e999)  # infinity, as a literal that can be read without importing
HIGHER_IS_BETTER = False
DEFAULT = True
NEEDS = ("codes",)
LAWS = ("points", "latents", "factors", "signs", "values", "scales", "shift")
NOT_FINITE = "a latent is a linear function of the others, up to rounding"


def gaussian_total_correlation(
    codes: ArrayLike, factors: ArrayLike | None = None, *, seed: int = 0
) -> float:
    """KL between a Gaussian with the codes' covariance and the product of its marginals, in nats.

        TC = -1/2 ln det(correlation matrix of the codes)

    It measures whether the latents are linearly independent, and knows nothing of factors: noise
    scores 0, and so do entangled codes whose latents happen not to correlate. With N points and D
    independent latents it is too high by about D (D - 1) / (4 N). Constant latents are left out;
    a latent that is a linear function of the others, up to rounding, makes it infinite, as do
    fewer points than latents. Factors and seed are not used; lower is better.

    Source:
        Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations, 2019, on total correlation, https://arxiv.org/abs/1811.12359
        Checked against disentanglement_lib 86a644d, evaluation/metrics/unsupervised_metrics.py.

    Deviations:
        There a constant latent gives NaN.

    Example:
        >>> z = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> gaussian_total_correlation(z)
        0.0
    """
    check_options({}, seed)
    z = check_codes(codes)
    varying = z[:, np.ptp(z, axis=0) > 0]
    if len(varying) <= varying.shape[1]:
        return float("inf") if varying.shape[1] > 1 else 0.0
    # what each latent has beside those before it; squares would lose all below 1e-8
    unit = standardised(varying) / np.sqrt(len(z))
    own = np.abs(np.diag(np.linalg.qr(unit, mode="r")))
    if own.min(initial=1) < max(1e-13, 4 * float(np.finfo(z.dtype).eps)):
        return float("inf")
    return max(0.0, -float(np.log(own).sum()))
