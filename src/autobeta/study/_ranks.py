"""Statistics of order: mean ranks, and how likely one method is to beat another."""

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from autobeta.study import _intervals
from autobeta.study._intervals import Value, finite

Key = Hashable


class MeanRank(NamedTuple):
    """A method's mean rank over the keys, 1 the best, and its 95 % interval, None for one key."""

    mean: float
    low: float | None
    high: float | None


class MeanRanks(NamedTuple):
    """Mean ranks by method over `n` keys; `missing` keys lack a finite value of some method.

    No method has a mean rank where no key is left.
    """

    by_method: dict[str, MeanRank]
    n: int
    missing: int


class Improvement(NamedTuple):
    """Probability that a value of the one beats one of the other, with its 95 % interval."""

    probability: float | None
    low: float | None
    high: float | None
    n_a: int
    n_b: int


def ranks(
    scores: Mapping[str, Mapping[Key, Value]], higher_is_better: bool | Mapping[Key, bool]
) -> MeanRanks:
    """Mean rank of each method over keys, such as (data set, metric) or seeds; ties share a rank.

    Methods are ranked within each key, and only at keys where all have a finite value. Where keys
    have unlike directions, `higher_is_better` is a mapping from key to direction.

    The interval is the percentiles of a bootstrap that resamples keys: each draw takes n of the n
    keys with replacement, with the ranks of all methods at a key together. Ranks are not computed
    anew, and seeds within a key are not resampled. So it says how the mean rank would vary over
    other keys like these. Keys that depend on each other, such as metrics of the same runs, make
    it too narrow, and so do few keys; `autobeta.study.statistics` has the measured coverage.

    Raises:
        ValueError: If a key has no direction.

    Source:
        Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, 2006, for mean
        ranks; Efron, Bootstrap Methods: Another Look at the Jackknife, 1979.

    Example:
        >>> scores = {"vae": {"mig": 0.1, "sap": 0.2}, "lvae": {"mig": 0.4, "sap": 0.2}}
        >>> ranks(scores, higher_is_better=True).by_method["lvae"].mean
        1.25
    """
    keys = {key for values in scores.values() for key in values}
    costs = {name: _costs(scores[name], higher_is_better) for name in sorted(scores)}
    shared = [key for key in keys if all(key in cost for cost in costs.values())]
    n = len(shared)
    if n == 0:
        return MeanRanks({}, 0, len(keys))
    table = np.array([[cost[key] for cost in costs.values()] for key in shared])
    found = np.asarray(rankdata(table, axis=1))  # (keys, methods)
    found = found[np.lexsort(found.T)]  # sorted, so that no result depends on the order of keys
    means = dict(zip(costs, found.mean(axis=0).tolist(), strict=True))
    drawn = _percentiles(_draws(n) @ found).tolist() if n > 1 else [(None, None)] * len(costs)
    ends = dict(zip(costs, drawn, strict=True))
    return MeanRanks({k: MeanRank(means[k], *ends[k]) for k in scores}, n, len(keys) - n)


def _costs(
    values: Mapping[Key, Value], higher_is_better: bool | Mapping[Key, bool]
) -> dict[Key, float]:
    """The finite values, signed so that lower is better."""
    directions = higher_is_better
    if not isinstance(directions, Mapping):
        directions = dict.fromkeys(values, directions)
    for key in values:
        if key not in directions:
            raise ValueError(
                f"`higher_is_better` must have every key of `scores`; got none for {key!r}. "
                "Say true or false for it."
            )
    kept = {k: float(v) for k, v in values.items() if v is not None and math.isfinite(v)}
    return {key: -value if directions[key] else value for key, value in kept.items()}


def probability_of_improvement(
    a: Iterable[Value], b: Iterable[Value], higher_is_better: bool
) -> Improvement:
    """How likely a run of A is to be better than a run of B, any seed against any other.

        P = (pairs where A is better + half of the ties) / (n m) = U / (n m)

    with the Mann-Whitney U. The interval is the percentiles of a stratified bootstrap: the seeds
    of A and those of B are resampled with replacement, each among themselves. It needs two seeds
    of each. Where every run of A beats every run of B it is [1, 1], and says nothing of other
    seeds; below 5 seeds it is too narrow, as measured in `autobeta.study.statistics`.

    Source:
        Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021,
        https://arxiv.org/abs/2108.13264, section 4, for one task. Mann and Whitney, 1947.

    Example:
        >>> probability_of_improvement([1.0, 3.0], [2.0], higher_is_better=True).probability
        0.5
    """
    (ours, _), (theirs, _) = finite(a), finite(b)
    n, m = len(ours), len(theirs)
    if 0 in (n, m):
        return Improvement(None, None, None, n, m)
    wins = np.sign(ours[:, None] - theirs) / 2  # (n, m)
    wins = 0.5 + (wins if higher_is_better else -wins)
    probability = float(wins.mean())
    if 1 in (n, m):
        return Improvement(probability, None, None, n, m)
    rng = np.random.default_rng(_intervals.SEED)
    drawn = ((_draws(n, rng) @ wins) * _draws(m, rng)).sum(axis=1, keepdims=True)
    (low, high), *_ = _percentiles(drawn)
    return Improvement(probability, float(low), float(high), n, m)


def _draws(n: int, rng: np.random.Generator | None = None) -> Float[np.ndarray, "draws n"]:
    """Share of each of n rows in resamples of n rows."""
    rng = rng or np.random.default_rng(_intervals.SEED)
    return rng.multinomial(n, np.full(n, 1 / n), size=_intervals.RESAMPLES) / n


def _percentiles(drawn: Float[np.ndarray, "draws k"]) -> Float[np.ndarray, "k 2"]:
    outside = 50 * (1 - _intervals.LEVEL)
    return np.percentile(drawn, [outside, 100 - outside], axis=0).T
