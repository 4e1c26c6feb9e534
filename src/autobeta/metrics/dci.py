"""Disentanglement, completeness and informativeness from the importances of a predictor."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from scipy.special import xlogy

from autobeta.metrics import _predictors as predictors
from autobeta.metrics._factors import labels_or_numbers, numbers
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import Table, check_two_factors, clipped, live_latents, split

SOURCE = "Eastwood and Williams 2018, https://openreview.net/forum?id=By-7dz-AZ"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "lightgbm"
LIBRARIES = {"dci": ("lightgbm",)}
DEAD_RULE = True
LAWS = {
    "dci": ("points", "latents", "factors", "signs", "values", "scales", "shift", "bend"),
    "dci_gbt": ("points", "latents", "factors", "signs", "values", "scales", "shift", "bend"),
    "dci_rf": ("latents", "factors", "signs", "values", "scales", "shift", "bend"),
    "dci_lasso": ("points", "latents", "factors", "signs", "scales", "shift"),
}
TOLERANCE = 0.05  # ties between splits, folds of lasso
VARIANTS = {"lightgbm": "dci", "gbt": "dci_gbt", "rf": "dci_rf", "lasso": "dci_lasso"}

Fit = predictors.Fit
Inputs = tuple[ArrayLike, ArrayLike, ArrayLike | None, Table | None]


class DCI(NamedTuple):
    """The three scores, each in [0, 1], higher is better."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    n_jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """Whether each latent predicts one factor, and each factor needs one latent.

        D = sum_i rho_i (1 - H_K(R_i. / sum_k R_ik)),   C likewise over the columns of R

    R_ik is the importance of latent i in boosted trees that predict factor k; rho_i its share of
    all importance; H_K the entropy to base K. Informativeness is the accuracy on held-out points,
    R^2 (at least 0) for a continuous factor. Importances, and with them D and C, depend on the
    predictor, and on the number of points: trees fit noise too, and with few points spread
    importance over all latents, dead ones included. With `logvars` dead latents have no
    importance, as constant ones; they change C alone, whose entropy is to the base of the number
    of latents. Codes without any importance score D = C = 0. One latent has completeness 1.

    Arguments and errors are those of `sap`, with codes of any scale and 2 factors at least;
    `logvars` are the posterior's log-variances. `n_jobs` factors are fitted at once; the result
    does not depend on it. Without LightGBM, which the other variants do not need, an ImportError.

    Source:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled
        Representations, 2018, section 2, https://openreview.net/forum?id=By-7dz-AZ
        Formulas checked against disentanglement_lib 86a644d, evaluation/metrics/dci.py.

    Deviations:
        The paper takes lasso and forests of tuned depth (`dci_lasso`; `dci_rf` with a fixed size
        of leaves). disentanglement_lib takes scikit-learn's gradient boosting (`dci_gbt`), which
        LightGBM with the same number and size of trees follows at a fraction of the time; how
        closely, docs/metrics.md says. Where two latents correlate above 0.9, importances are the
        mean of two fits with the latents in both orders, since LightGBM gives ties to the first.
        As there, informativeness is accuracy, not error.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(100)), axis=-1).reshape(-1, 3)[:, :2]
        >>> dci(v + 0.0, v, test=(v, v)).informativeness
        1.0
    """
    return _dci(predictors.boost_quickly, (codes, factors, logvars, test), seed, n_jobs)


def dci_gbt(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    n_jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """`dci` with the gradient boosting of disentanglement_lib: minutes instead of seconds."""
    # these trees are grown from Python, so threads would wait for each other
    fit = predictors.boost_exactly
    return _dci(fit, (codes, factors, logvars, test), seed, n_jobs, prefer="processes")


def dci_rf(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    num_trees: int = 50,
    min_leaf: int = 30,
    n_jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """`dci` with random forests of `num_trees` trees with at least `min_leaf` points in a leaf.

    There must be points to fit for two leaves.
    """
    fit = predictors.grow_forest(num_trees, min_leaf)
    return _dci(fit, (codes, factors, logvars, test), seed, n_jobs, least=2 * min_leaf)


def dci_lasso(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    n_jobs: int = 1,
    seed: int = 0,
) -> DCI:
    """`dci` with lasso, its penalty chosen by cross-validation; informativeness is R^2.

    Each factor counts as a number, also one of classes such as a shape, and only what is linear in
    the code is seen. Importances are the sizes of the weights as they are, as in the paper, so a
    factor that is not encoded hardly counts in D, nor in C (the paper averages C evenly).
    """
    return _dci(predictors.fit_lasso, (codes, factors, logvars, test), seed, n_jobs, least=10)


def _dci(
    fit: Fit, inputs: Inputs, seed: int, n_jobs: int, prefer: str = "threads", least: int = 2
) -> DCI:
    check_options({}, seed)
    codes, factors, logvars, test = inputs
    read = numbers if fit is predictors.fit_lasso else labels_or_numbers
    x, columns, x_test, tests = split(codes, factors, test, seed, read)
    check_two_factors(len(columns), "dci")
    if len(x) < least:
        raise ValueError(
            f"`codes` must have at least {least} points to fit; got {len(x)}. "
            "Encode more points, or ask for another variant of dci."
        )
    if logvars is not None:
        live = live_latents(codes, logvars)
        x, x_test = np.where(live, x, 0), np.where(live, x_test, 0)
    # factors of many values take longest: first, so that no job is left with them at the end
    order = sorted(range(len(columns)), key=lambda k: -len(np.unique(columns[k])))
    one = delayed(predictors.fit_and_score)
    found = Parallel(n_jobs=n_jobs, prefer=prefer)(
        one(fit, x, columns[k], x_test, tests[k], seed) for k in order
    )
    importances, scores = zip(*found, strict=True)
    table = np.stack(importances, axis=1)[:, np.argsort(order)]
    return DCI(concentration(table), concentration(table.T), clipped(np.mean(scores)))


def concentration(importance: Float[np.ndarray, "rows columns"]) -> float:
    """Disentanglement of rows of latents, completeness of rows of factors."""
    if importance.sum() == 0:
        return 0.0
    rows = importance[importance.sum(axis=1) > 0]
    share = rows / rows.sum(axis=1, keepdims=True)
    entropy = -xlogy(share, share).sum(axis=1) / np.log(max(2, rows.shape[1]))
    return clipped(np.average(1 - entropy, weights=rows.sum(axis=1)))
