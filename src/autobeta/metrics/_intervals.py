"""Intervals of scores from halves of the points."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from scipy.stats import t as student

from autobeta.metrics._names import as_names, facts, parse
from autobeta.metrics._options import check_options
from autobeta.metrics._suite import Inputs, Result, prepare, score_prepared
from autobeta.metrics._validate import Table

INTERVALS_COVER = (
    "95 % intervals are for the mean score over samples of as many points of this representation: "
    "not for its value at ever more points, nor for other training seeds."
)

OPTIONS = {"level": (1e-6, 1 - 1e-6), "halves": (2, 10_000)}
Interval = tuple[float, float]
Intervals = dict[str, Interval | dict[str, Interval]]


def intervals(
    codes: ArrayLike,
    factors: ArrayLike | None = None,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    metrics: Iterable[str] | None = None,
    level: float = 0.95,
    halves: int = 20,
    n_jobs: int = 1,
    seed: int = 0,
) -> tuple[Result, Intervals]:
    """Scores, and an interval for each from its spread over random halves of the points.

        score -+ t * std(score of a half of the points, drawn without replacement)

    The interval is for what the score would be on average with as many other points of the same
    representation, draws of the metric's own included. It seldom holds the score at ever more
    points, which is off by the bias at this number, nor what other training seeds would give.
    `docs/metrics.md` says why halves, and no bootstrap. It takes `halves` times the time.

    Arguments and errors are those of `score`; a given `test` is halved too, and a metric that is
    undefined for a half of the points is a ValueError. `level` is the share of such intervals that
    should hold their target. `n_jobs` processes each score some of the `halves`. Beside the scores
    are the ends of the interval by name, or part of it; (NaN, NaN) where a score is not finite, or
    halves have no such part.

    Source:
        Politis and Romano, Large Sample Confidence Regions Based on Subsamples, 1994, with a
        subsample of half the size, as in the grouped jackknife.

    Example:
        >>> v = np.tile(np.stack(np.meshgrid(range(4), range(5)), axis=-1).reshape(-1, 2), (10, 1))
        >>> scores, ends = intervals(v, v, metrics=["factorvae"])
        >>> scores["factorvae"], ends["factorvae"]
        (1.0, (1.0, 1.0))
    """
    check_options(OPTIONS, seed, level=level, halves=halves)
    metrics = as_names(metrics)
    inputs = prepare(codes, factors, logvars, test, named=metrics is not None)
    scores = score_prepared(inputs, metrics, n_jobs, seed)
    rngs = np.random.default_rng(seed).spawn(halves)
    one = delayed(_half_scores)
    found = Parallel(n_jobs=n_jobs)(one(inputs, list(scores), rng, seed) for rng in rngs)
    n = len(inputs["codes"])
    b = n // 2
    # exact also for odd n: the variance of b of n points without replacement, scaled to n
    factor = student.ppf((1 + level) / 2, halves - 1) * np.sqrt(b / max(1, n - b))
    ends: Intervals = {}
    for name, value in scores.items():
        bounds, parts = facts(parse(name).base)["RANGE"], [half[name] for half in found]
        if isinstance(value, Mapping):
            # a half has other numbers of labels, and so other parts, where `probes` takes all
            named = {k: [part.get(k, np.nan) for part in parts] for k in value}
            ends[name] = {k: _ends(v, named[k], factor, bounds) for k, v in value.items()}
        else:
            ends[name] = _ends(value, parts, factor, bounds)
    return scores, ends


_NO_ROWS = ("test", "columns")


def _half_scores(inputs: Inputs, names: list[str], rng: np.random.Generator, seed: int) -> Result:
    n = len(inputs["codes"])
    rows = np.sort(rng.permutation(n)[: n // 2])
    half: dict[str, Any] = {k: v[rows] for k, v in inputs.items() if k not in _NO_ROWS}
    if "test" in inputs:
        held = len(inputs["test"][0])
        rows = np.sort(rng.permutation(held)[: held // 2])
        half["test"] = tuple(table[rows] for table in inputs["test"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they were given for the whole
            return score_prepared(half, names, 1, seed)
    except ValueError as error:
        raise ValueError(f"the points are too few for intervals: {error}") from error


def _ends(value: float, halves: list[Any], factor: float, bounds: Interval) -> Interval:
    if not np.isfinite([value, *halves]).all():
        return float("nan"), float("nan")
    width = float(factor * np.std(halves, ddof=1))
    return max(bounds[0], value - width), min(bounds[1], value + width)
