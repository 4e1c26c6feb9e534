"""Modularity, compactness and explicitness from nearest-neighbour information."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from autobeta.metrics._factors import MOST_VALUES, Factors, has_too_many
from autobeta.metrics._information import entropies, mutual_information, neighbor_information
from autobeta.metrics._options import check_options
from autobeta.metrics._predictors import fit_quietly
from autobeta.metrics._validate import check, check_two_factors, clipped, standardised

SOURCE = "Hsu et al. 2023, https://arxiv.org/abs/2305.18378"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "neighbors=10"
OPTIONS = {"neighbors": (1, 10_000)}
VARIANTS = {"discrete": "infomec_discrete"}
LAWS = {
    "infomec": ("points", "latents", "factors", "signs", "values", "scale", "shift"),
    "infomec_discrete": ("points", "latents", "factors", "signs", "values", "scales", "bend"),
}
TOLERANCE = 0.01  # the regression stops within its own

ACTIVE_RANGE = 1 / 20  # of the widest latent's range


class InfoMEC(NamedTuple):
    """The three scores, each in [0, 1], higher is better."""

    modularity: float
    compactness: float
    explicitness: float


def infomec(
    codes: ArrayLike, factors: ArrayLike, *, neighbors: int = 10, seed: int = 0
) -> InfoMEC:
    """Modularity and compactness of a table of information, and linear explicitness.

        N_ik = I(c_i; v_k) / H(v_k)
        InfoM = (mean_i max_k N_ik / sum_k N_ik - 1 / K) / (1 - 1 / K),   i over active latents
        InfoC = likewise over the factors, with the number of active latents in place of K
        InfoE = mean_k (1 - L_k / ln |v_k|),   L_k the log-loss of a logistic regression c -> v_k

    I is the estimate from nearest neighbours (Ross), which needs no bins and is 0 on average for
    noise. That is why the modularity of a latent of pure noise means nothing: it is a ratio of
    two errors. A latent is active if its range is over 1/20 of the widest latent's, so one wide
    latent can silence others. Without an active latent all three are 0; with one, InfoC is 1. A
    value of a factor that occurs once has no neighbours and is left out of I. The regression of
    InfoE is not penalised and is scored on the points it is fitted to, so few points raise it.
    Codes of few values have no neighbours, only ties: take `infomec_discrete` for those.

    Arguments and errors are those of `mig`, with `neighbors` in the estimate of I and at least 2
    factors. Noise from `seed`, 1e-10 of the codes' scale, breaks ties.

    Source:
        Hsu et al., Disentanglement via Latent Quantization, 2023, section 4,
        https://arxiv.org/abs/2305.18378
        Checked against kylehkhsu/latent_quantization 4ba4c9d, disentangle/metrics/infomec.py.

    Deviations:
        The authors' classes are balanced, for which a guess has the log-loss ln |v_k|; they fit a
        regression on zeros to find it. InfoE is at least 0. A latent or factor without any
        information counts 0 (there: 0 / 0).

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(50)), axis=-1).reshape(-1, 3)[:, :2]
        >>> round(infomec(v + 0.0, v).modularity, 3)
        1.0
    """
    check_options(OPTIONS, seed, neighbors=neighbors)
    codes, factors = check(codes, factors)
    check_two_factors(factors.shape[1], "infomec")
    x, width = standardised(codes), np.ptp(codes, axis=0)
    active = x[:, width > ACTIVE_RANGE * width.max()]
    if active.shape[1] == 0:
        return InfoMEC(0.0, 0.0, 0.0)
    table = neighbor_information(active, factors, neighbors, np.random.RandomState(seed))
    return _infomec(table, x, factors)


def infomec_discrete(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> InfoMEC:
    """`infomec` of codes of few values, as of a quantised latent: each value is a class.

    I is the plug-in estimate, a latent is active if it is not constant, and InfoE's regression is
    on indicators of the values. Nothing here is random. Arguments, errors and result are those of
    `infomec`; a latent must not have more values than half the points, nor more than 1,000.
    """
    check_options({}, seed)
    codes, factors = check(codes, factors)
    check_two_factors(factors.shape[1], "infomec")
    active = np.ptp(codes, axis=0) > 0
    if not active.any():
        return InfoMEC(0.0, 0.0, 0.0)
    values = np.stack([np.unique(c, return_inverse=True)[1] for c in codes[:, active].T], axis=1)
    many = [i for i, column in enumerate(values.T) if has_too_many(column)]
    if many:
        raise ValueError(
            "`codes` must have few values in each latent for infomec[discrete]; got one for every "
            f"other point, or above {MOST_VALUES:,}, in {len(many)} latents. Ask for infomec."
        )
    x = OneHotEncoder().fit_transform(values)
    return _infomec(mutual_information(values, factors), x, factors)


def _infomec(
    information: Float[np.ndarray, "latents factors"], x: object, factors: Factors
) -> InfoMEC:
    table = information / entropies(factors)
    explicit = float(np.mean([_explicitness(x, v) for v in factors.T]))
    return InfoMEC(peakedness(table), peakedness(table.T), clipped(explicit))


def peakedness(table: Float[np.ndarray, "rows columns"]) -> float:
    """Mean share of each row's largest entry; 0 for even rows and zeros, 1 for one column."""
    columns = table.shape[1]
    if columns == 1:
        return 1.0
    total = table.sum(axis=1)
    even = np.full_like(total, 1 / columns)
    share = np.divide(table.max(axis=1), total, out=even, where=total > 0)
    return clipped((share.mean() - 1 / columns) / (1 - 1 / columns))


def _explicitness(x: object, column: Int[np.ndarray, " points"]) -> float:
    """Share of a guess's log-loss that a logistic regression on its own points takes away."""
    values, index = np.unique(column, return_inverse=True)
    # codes that separate the values have no best weights; the authors too stop at 100
    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100)
    fit_quietly(model, x, index)
    right = model.predict_proba(x)[np.arange(len(index)), index]
    log_loss = -float(np.log(np.maximum(right, np.finfo(np.float64).eps)).mean())
    return max(0.0, 1 - log_loss / np.log(len(values)))
