"""Explicitness: how well a linear classifier ranks the points by each factor value."""

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from autobeta.metrics._factors import labels
from autobeta.metrics._options import check_options
from autobeta.metrics._predictors import fit_quietly
from autobeta.metrics._validate import Codes, Table, TestCodes, clipped, split

SOURCE = "Ridgeway and Mozer 2018, https://arxiv.org/abs/1802.05312"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
LAWS = ("points", "latents", "factors", "signs", "values", "scales", "shift", "rotation")
TOLERANCE = 0.05  # the solver stops within its own, and a rotation moves the penalty


def explicitness(
    codes: ArrayLike, factors: ArrayLike, *, test: Table | None = None, seed: int = 0
) -> float:
    """Mean area under the ROC curve of logistic regressions that predict each factor value.

        explicitness = mean_k mean_v AUC(p(v_k = v | c), v_k = v)

    It tells whether the factors can be read off all latents together by linear means, and says
    nothing of which latent holds what: a rotation changes nothing. Chance is 0.5, also for codes
    that are all constant. A factor value that either split lacks is left out. Arguments and
    result are those of `sap`, with integer factors and codes of any scale. A held-out factor must
    have two values, one of them seen in the fit.

    Source:
        Ridgeway and Mozer, Learning Deep Disentangled Embeddings with the F-Statistic Loss, 2018,
        section 3, https://arxiv.org/abs/1802.05312
        Settings of disentanglement_lib 86a644d, evaluation/metrics/modularity_explicitness.py.

    Deviations:
        As disentanglement_lib: one multinomial regression per factor instead of one for each
        value, and the mean over factors of the mean over values.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(30)), axis=-1).reshape(-1, 3)[:, :2]
        >>> explicitness(v, v, test=(v, v))
        1.0
    """
    check_options({}, seed)
    x, y, x_test, y_test = split(codes, factors, test, seed, labels)
    varies = np.ptp(x, axis=0) > 0
    x, x_test = (np.where(varies, part, 0).astype(np.float64) for part in (x, x_test))
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    x, x_test = (x - centre) / spread, (x_test - centre) / spread
    pairs = enumerate(zip(y, y_test, strict=True))
    return clipped(np.mean([_auc(k, x, *pair, x_test) for k, pair in pairs]))


def _auc(
    k: int,
    x: Codes,
    y: Int[np.ndarray, " points"],
    y_test: Int[np.ndarray, " held"],
    x_test: TestCodes,
) -> float:
    classifier = fit_quietly(LogisticRegression(), x, y)
    ranks = rankdata(classifier.predict_proba(x_test), axis=0)
    hits = y_test[:, None] == classifier.classes_
    num = hits.sum(axis=0)
    known = (num > 0) & (num < len(y_test))
    if not known.any():
        raise ValueError(
            "`factors` must have at least 2 values in each column of the held-out points, one of "
            f"them seen in the fit; got {len(np.unique(y_test))} in {len(y_test)} points of "
            f"column {k}. Leave that column out, or hold out more points."
        )
    num, sums = num[known], (ranks * hits).sum(axis=0)[known]
    # Mann and Whitney: rank sum of the hits, less its least value, over the number of pairs
    return float(np.mean((sums - num * (num + 1) / 2) / (num * (len(y_test) - num))))
