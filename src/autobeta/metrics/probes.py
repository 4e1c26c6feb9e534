"""Accuracy of a linear and a boosted predictor of each factor, by the number of labels."""

import itertools
from collections.abc import Sequence
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from autobeta.metrics import _predictors as predictors
from autobeta.metrics._factors import labels_or_numbers
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import Table, split

SOURCE = "Locatello et al. 2019, https://arxiv.org/abs/1811.12359"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = False
NEEDS = ("codes", "factors")
LIBRARIES = {"probes": ("lightgbm",)}
LAWS = ("latents", "signs", "values", "scales")
TOLERANCE = 0.1  # trees of few points

PREDICTORS = {"linear": predictors.fit_linear, "boosted": predictors.boost_quickly}


def probes(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test: Table | None = None,
    num_labels: Sequence[int] = (10, 100, 1000, 10_000),
    n_jobs: int = 1,
    seed: int = 0,
) -> dict[str, float]:
    """Held-out accuracy that few or many labels buy, with a linear and a boosted predictor.

    They tell what the code is worth to somebody who learns from it, whatever its axes: logistic
    regression does not see a rotation, boosted trees do. Both are fitted to the first points of a
    seeded order, so that more labels contain the fewer. Codes that are all constant give the
    accuracy of a guess.

    Arguments are those of `sap`, with codes of any scale, and `num_labels`, numbers of labelled
    points, at least 1; one above what there is stands for all of them. `n_jobs` predictors are
    fitted at once. Errors are those of `score`, and an ImportError without LightGBM.

    Returns:
        "linear/100/0", accuracy in [0, 1] of the linear predictor of factor 0 from 100 labels, and
        so on; "linear/100", the mean over factors.

    Source:
        Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations, 2019, on downstream tasks, https://arxiv.org/abs/1811.12359

    Deviations:
        LightGBM instead of scikit-learn's gradient boosting, and one penalty for the logistic
        regression instead of a cross-validated one.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(100)), axis=-1).reshape(-1, 3)[:, :2]
        >>> probes(v, v, num_labels=[100])["linear/100"]
        1.0
    """
    given = isinstance(num_labels, Sequence | np.ndarray) and len(num_labels) > 0
    if not given or not all(isinstance(n, Integral) and n >= 1 for n in num_labels):
        raise ValueError(
            f"`num_labels` must be a list of whole numbers of at least 1; got {num_labels!r}."
        )
    check_options({}, seed)
    x, y, x_test, y_test = split(codes, factors, test, seed, labels_or_numbers)
    order = np.random.default_rng(seed).permutation(len(x))
    numbers = sorted({min(n, len(x)) for n in num_labels})
    keys = list(itertools.product(PREDICTORS, numbers, range(len(y))))
    one = delayed(predictors.fit_and_score)
    scores = Parallel(n_jobs=n_jobs, prefer="threads")(
        one(PREDICTORS[p], x[order[:n]], y[k][order[:n]], x_test, y_test[k], seed)
        for p, n, k in keys
    )
    found = {key: score for key, (_, score) in zip(keys, scores, strict=True)}
    result: dict[str, float] = {}
    for p, n in itertools.product(PREDICTORS, numbers):
        column = [found[p, n, k] for k in range(len(y))]
        result[f"{p}/{n}"] = float(np.mean(column))
        result |= {f"{p}/{n}/{k}": value for k, value in enumerate(column)}
    return result
