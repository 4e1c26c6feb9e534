"""Disentanglement, completeness and informativeness from the importances of random forests."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from scipy.special import xlogy
from sklearn.ensemble import RandomForestClassifier

from autobeta.metrics._validate import Codes, Factors, Table, TestCodes, TestFactors, check, split

SOURCE = "Eastwood and Williams 2018, https://openreview.net/forum?id=By-7dz-AZ"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
NEEDS = ("codes", "factors", "test")
VARIANT = "rf"


class DCI(NamedTuple):
    """The three scores, each in [0, 1], higher is better."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test: Table | None = None,
    num_trees: int = 50,
    min_leaf: int = 30,
    n_jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """Whether each latent predicts one factor, and each factor needs one latent.

        D = sum_i rho_i (1 - H_K(R_i. / sum_k R_ik)),   C likewise over the columns of R

    R_ik is the importance of latent i in a random forest that predicts factor k; rho_i its share
    of all importance; H_K the entropy to base K. Informativeness is the forests' accuracy on
    held-out points. Importances, and with them D and C, depend on the predictor: deeper trees fit
    noise and spread importance over all latents. A dead latent has no importance and changes
    nothing; codes without any importance score D = C = 0. One latent has completeness 1.

    Args:
        codes: Posterior means, shape (num_points, num_latents), any real scale.
        factors: Integer factor values, shape (num_points, num_factors), at least 2 factors.
        test: Held-out (codes, factors); without it a third of the points is held out by chance.
        num_trees: Trees per factor.
        min_leaf: Fewest points in a leaf.
        n_jobs: Factors fitted at once, in threads; the result does not depend on it.
        seed: Seed of the split and of the forests.

    Returns:
        The three scores.

    Raises:
        TypeError: If codes or factors are not numbers.
        ValueError: If there is one factor only or one constant among the points used to fit, if
            these are fewer than two leaves, or if the tables do not fit together.

    Source:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled
        Representations, 2018, section 2, https://openreview.net/forum?id=By-7dz-AZ
        Formulas checked against disentanglement_lib 86a644d, evaluation/metrics/dci.py.

    Deviations:
        The paper tunes the depth of its forests; here the size of a leaf is fixed, at the value
        that came closest to disentanglement_lib's gradient boosting (unseeded, 50 times slower)
        on two sets of codes. As there, informativeness is accuracy, not error.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(100)), axis=-1).reshape(-1, 3)[:, :2]
        >>> dci(v + 0.0, v, test=(v, v)).informativeness
        1.0
    """
    codes, factors = check(codes, factors)
    if factors.shape[1] < 2:
        raise ValueError("`factors` must have at least 2 columns for dci; got 1.")
    x, y, x_test, y_test = split(codes, factors, test, seed)
    if len(x) < 2 * min_leaf:
        raise ValueError(
            f"`codes` must have at least 2 * min_leaf = {2 * min_leaf} points to fit; "
            f"got {len(x)}. Encode more points or lower `min_leaf`."
        )
    fit = delayed(_fit)
    columns = range(factors.shape[1])
    fitted = Parallel(n_jobs=n_jobs, prefer="threads")(
        fit(x, y, x_test, y_test, k, num_trees, min_leaf, seed) for k in columns
    )
    importance = np.stack([f[0] for f in fitted], axis=1)
    accuracy = float(np.mean([f[1] for f in fitted]))
    return DCI(concentration(importance), concentration(importance.T), accuracy)


def concentration(importance: Float[np.ndarray, "rows columns"]) -> float:
    """One less the entropy of each row, averaged with the rows' shares of all importance.

    It is disentanglement for rows of latents and completeness for rows of factors.

    Example:
        >>> concentration(np.eye(3))
        1.0
    """
    if importance.sum() == 0:
        return 0.0
    rows = importance[importance.sum(axis=1) > 0]
    share = rows / rows.sum(axis=1, keepdims=True)
    entropy = -xlogy(share, share).sum(axis=1) / np.log(max(2, rows.shape[1]))
    return float(np.clip(np.average(1 - entropy, weights=rows.sum(axis=1)), 0, 1))


def _fit(
    x: Codes,
    y: Factors,
    x_test: TestCodes,
    y_test: TestFactors,
    k: int,
    num_trees: int,
    min_leaf: int,
    seed: int,
) -> tuple[Float[np.ndarray, " latents"], float]:
    """Importance of each latent for factor k, and the accuracy on held-out points."""
    forest = RandomForestClassifier(
        num_trees, min_samples_leaf=min_leaf, max_features=None, random_state=seed
    )
    forest.fit(x, y[:, k])
    return forest.feature_importances_, float(forest.score(x_test, y_test[:, k]))
