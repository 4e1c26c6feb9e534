"""Mean correlation coefficient of each factor with a latent of its own."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from autobeta.metrics._validate import check_any, check_varying

SOURCE = "Hyvarinen and Morioka 2016, https://arxiv.org/abs/1605.06336"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = False
NEEDS = ("codes", "factors")
VARIANT = "pearson"
VARIANTS = {"pearson": "mcc", "spearman": "mcc_spearman"}


def mcc(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> float:
    """Mean absolute correlation of factors and latents, matched one to one for the largest sum.

        MCC = max over matchings m of mean_k abs(corr(c_m(k), v_k))

    It is the customary score where factors are continuous and to be identified up to order, sign
    and scale. Correlation with the number of a class, such as a shape, or with an angle means
    little. Without relation it is above 0, by about the largest of num_latents correlations of
    noise, each of size 1 / sqrt(num_points). A dead latent has correlation 0, as has a factor
    without a latent left.

    Args:
        codes: Posterior means, shape (num_points, num_latents), any real scale.
        factors: Factor values, whole or continuous, shape (num_points, num_factors).
        seed: Not used; nothing here is random.

    Returns:
        Score in [0, 1], higher is better.

    Raises:
        TypeError: If codes or factors are not numbers.
        ValueError: If a factor is constant, or if the tables do not fit together.

    Source:
        Hyvarinen and Morioka, Unsupervised Feature Extraction by Time-Contrastive Learning, 2016,
        section 6, https://arxiv.org/abs/1605.06336

    Deviations:
        None.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> round(mcc(-2.0 * v[:, ::-1], v), 6)
        1.0
    """
    checked, values = check_any(codes, factors)
    check_varying(values)
    return _matched(checked.astype(np.float64), values)


def mcc_spearman(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> float:
    """`mcc` with rank correlation, which any rising or falling function of a factor leaves at 1.

    Arguments, errors and result are those of `mcc`.
    """
    checked, values = check_any(codes, factors)
    check_varying(values)
    return _matched(rankdata(checked, axis=0), rankdata(values, axis=0))


def _matched(codes: np.ndarray, factors: np.ndarray) -> float:
    """Mean absolute correlation under the best matching."""
    codes, factors = codes - codes.mean(axis=0), factors - factors.mean(axis=0)
    size = np.linalg.norm(codes, axis=0)[:, None] * np.linalg.norm(factors, axis=0)
    products = np.abs(codes.T @ factors)
    alive = (np.ptp(codes, axis=0) > 0)[:, None] & (size > 0)
    correlation = np.divide(products, size, out=np.zeros_like(products), where=alive)
    found = correlation[linear_sum_assignment(-correlation)].sum() / factors.shape[1]
    return min(1.0, float(found))  # rounding
