"""Interventional robustness: how little a latent moves while its factor is held fixed."""

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check, clipped

SOURCE = "Suter et al. 2019, https://arxiv.org/abs/1811.00007"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "quantile=0.99"
OPTIONS = {"quantile": (0.0, 1.0)}
LAWS = ("points", "latents", "factors", "signs", "values", "scale", "shift")


def irs(codes: ArrayLike, factors: ArrayLike, *, quantile: float = 0.99, seed: int = 0) -> float:
    """Interventional robustness score: stability of each latent for its best factor.

        IRS = sum_i w_i max_k (1 - mean_v Q(abs(c_i - E[c_i | v_k = v])) / w_i) / sum_i w_i
        w_i = max abs(c_i - E[c_i])

    Q is the `quantile` (in the paper, 1) over the points of one factor value. The score needs all
    combinations of factor values to be equally likely. It does not fall with mixing in every case:
    a constant latent has weight 0, and few points per factor value raise the score (one point: 1).
    An outlier raises it too: it widens the largest deviation, and the quantile leaves it out of Q.
    Codes that are all constant score 0. Arguments, errors and result are otherwise those of `mig`.

    Source:
        Suter et al., Robustly Disentangled Causal Mechanisms, 2019, section 4,
        https://arxiv.org/abs/1811.00007
        Checked against disentanglement_lib 86a644d, evaluation/metrics/irs.py.

    Deviations:
        Factor values are taken as they are; disentanglement_lib's outer function first merges them
        into 20 bins. A latent's score is at least 0, where deviations within a value exceed the
        overall ones.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> irs(v, v)
        1.0
    """
    check_options(OPTIONS, seed, quantile=quantile)
    codes, factors = check(codes, factors)
    codes = codes[:, np.ptp(codes, axis=0) > 0].astype(np.float64)
    if codes.shape[1] == 0:
        return 0.0
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    within = np.zeros((codes.shape[1], factors.shape[1]))
    for k, column in enumerate(factors.T):
        groups = [codes[column == value] for value in np.unique(column)]
        spread = [np.quantile(np.abs(g - g.mean(axis=0)), quantile, axis=0) for g in groups]
        within[:, k] = np.mean(spread, axis=0)
    robust = np.maximum(0, (1 - within / largest[:, None]).max(axis=1))
    return clipped(np.average(robust, weights=largest))
