"""Mean correlation coefficient of each factor with a latent of its own."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from autobeta.metrics._factors import numbers
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check, clipped, standardised

SOURCE = "Hyvarinen and Morioka 2016, https://arxiv.org/abs/1605.06336"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = False
NEEDS = ("codes", "factors")
VARIANT = "pearson"
VARIANTS = {"pearson": "mcc", "spearman": "mcc_spearman"}
LAWS = {
    "mcc": ("points", "latents", "factors", "signs", "scales", "shift"),
    "mcc_spearman": ("points", "latents", "factors", "signs", "scales", "shift", "bend"),
}


def mcc(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> float:
    """Mean absolute correlation of factors and latents, matched one to one for the largest sum.

        MCC = max over matchings m of mean_k abs(corr(c_m(k), v_k))

    It is the customary score where factors are continuous and to be identified up to order, sign
    and scale. Correlation with the number of a class, such as a shape, or with an angle means
    little. Without relation it is above 0, by about the largest of num_latents correlations of
    noise, each of size 1 / sqrt(num_points). A dead latent has correlation 0, as has a factor
    without a latent left. All else is as for `mig`, but that factors may be continuous.

    Source:
        Hyvarinen and Morioka, Unsupervised Feature Extraction by Time-Contrastive Learning, 2016,
        section 6, https://arxiv.org/abs/1605.06336

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> round(mcc(-2.0 * v[:, ::-1], v), 6)
        1.0
    """
    check_options({}, seed)
    return _matched(*check(codes, factors, numbers))


def mcc_spearman(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> float:
    """`mcc` with rank correlation, which rising and falling functions of a factor leave at 1."""
    check_options({}, seed)
    return _matched(*(rankdata(table, axis=0) for table in check(codes, factors, numbers)))


def _matched(codes: np.ndarray, factors: np.ndarray) -> float:
    correlation = np.abs(standardised(codes).T @ standardised(factors)) / len(codes)
    return clipped(correlation[linear_sum_assignment(-correlation)].sum() / factors.shape[1])
