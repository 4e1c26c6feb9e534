"""Mutual information gap of the full posterior, on a fixed grid."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from autobeta.metrics._factors import Factors
from autobeta.metrics._information import entropies, information, top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check, check_logvars, clipped

SOURCE = "Do and Tran 2020, https://arxiv.org/abs/1908.09961"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors", "logvars")
VARIANT = "bins=100"
OPTIONS = {"bins": (2, 10_000), "limit": (1e-3, 1e6)}
LAWS = ("points", "latents", "factors", "signs", "values")

_CHUNK = 10_000  # points worked on at once, to bound memory


def rmig(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike,
    bins: int = 100,
    limit: float = 4.0,
    seed: int = 0,
) -> float:
    """Mutual information gap where each image spreads over the bins as its posterior does.

        Q(b | x) ~ N(centre of b; mean, variance), normalised over the bins
        RMIG = mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k)

    A latent that follows its prior has no information. A posterior much narrower than a bin, or
    with its mean beyond the limit, falls into the nearest bin. With one latent the second-best
    information is 0.

    Arguments and result are those of `mig`, besides `logvars`, the posterior's log-variances of
    the shape of `codes`, and that the `bins` are between `-limit` and `limit` of a standard normal
    prior.

    Source:
        Do and Tran, Theory and Evaluation Metrics for Learning Disentangled Representations, 2020,
        https://arxiv.org/abs/1908.09961

    Deviations:
        Where a posterior is too narrow for the grid, the authors' code switches to the bin of the
        mean at a fixed density; here the normalisation leads to the same bin without a switch.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> round(rmig(v - 2.0, v, logvars=np.full(v.shape, -9.0)), 6)
        1.0
    """
    check_options(OPTIONS, seed, bins=bins, limit=limit)
    codes, factors = check(codes, factors)
    spread = check_logvars(logvars, codes)
    centres = (np.arange(bins) + 0.5) * (2 * limit / bins) - limit
    pairs = zip(codes.T.astype(np.float64), spread.T.astype(np.float64), strict=True)
    table = [[information(q) for q in _joint(m, s, factors, centres)] for m, s in pairs]
    return clipped(np.mean(top_two_gap(np.array(table)) / entropies(factors)))


def _joint(
    mean: Float[np.ndarray, " points"],
    logvar: Float[np.ndarray, " points"],
    factors: Factors,
    centres: Float[np.ndarray, " bins"],
) -> list[Float[np.ndarray, "values bins"]]:
    """Joint distribution of each factor's value and the bin of one latent."""
    joint = [np.zeros((v.max() + 1, len(centres))) for v in factors.T]
    for start in range(0, len(mean), _CHUNK):
        part = slice(start, start + _CHUNK)
        log_density = -((centres - mean[part, None]) ** 2) / (2 * np.exp(logvar[part, None]))
        weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        for table, value in zip(joint, factors.T, strict=True):
            table += np.eye(len(table))[value[part]].T @ weight / len(mean)
    return joint
