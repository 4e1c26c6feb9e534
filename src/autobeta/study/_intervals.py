"""Means of the few values that seeds give, with 95 % intervals."""

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, stdtrit
from scipy.stats import bootstrap, trim_mean

LEVEL = 0.95
RESAMPLES = 9999
SEED = 0
FEWEST_FOR_BCA = 8

Value = float | int | None
Sample = Float[np.ndarray, "*samples n"]
Ends = tuple[Float[np.ndarray, "*samples"], Float[np.ndarray, "*samples"]]
Kind = Literal["t", "bca", "percentile", "none"]


class Summary(NamedTuple):
    """A mean of `n` values and its 95 % interval; None for what so few values can't tell.

    `std` is the sample standard deviation of the values (divisor n - 1). `interval` names how
    `low` and `high` were found: "t", "bca", "percentile" (where BCa is undefined) or "none".
    `missing` counts the values that were None or not finite, and were left out.
    """

    mean: float | None
    std: float | None
    n: int
    low: float | None
    high: float | None
    interval: Kind
    missing: int


def summary(values: Iterable[Value]) -> Summary:
    """Mean and sample standard deviation over seeds, with a 95 % interval of the mean.

    Student's t below 8 values, from 8 on the bias-corrected and accelerated bootstrap at an
    expanded level (`expanded_level`); no interval for one value. Values that are all equal have an
    interval of width 0, which says nothing of other seeds. Left out are values that are not
    finite: where those are the runs that failed, the mean is of the others only.
    `autobeta.study.statistics` has the measured coverage.

    Source:
        Student, The Probable Error of a Mean, 1908. Efron, Better Bootstrap Confidence Intervals,
        1987, as in `scipy.stats.bootstrap`.

    Example:
        >>> found = summary([1.0, 2.0, 3.0, None])
        >>> found.mean, found.std, found.interval, found.missing
        (2.0, 1.0, 't', 1)
    """
    return _summarise(values, _mean, lambda n: 0)


def interquartile_mean(values: Iterable[Value]) -> Summary:
    """Mean of the middle half of the values, as `mean` of a summary, with a 95 % interval.

    floor(n / 4) values are cut from each end. So 1 to 3 values give their plain mean, and for an n
    that is not divisible by 4 more than half of the values stay; none counts in part. `std` is
    that of all values. The interval is Yuen's t for a trimmed mean below 8 values,
    the bias-corrected and accelerated bootstrap from 8 on, and the bootstrap's percentiles where
    the acceleration is undefined since no single value moves the mean.

    Source:
        Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021,
        https://arxiv.org/abs/2108.13264, section 4; rliable 72fc16c, rliable/metrics.py, cuts as
        many. Yuen, The Two-Sample Trimmed t for Unequal Population Variances, 1974, whose
        standard error of one sample this is.

    Example:
        >>> interquartile_mean([0.0, 1.0, 3.0, 100.0]).mean
        2.0
    """
    return _summarise(values, middle_mean, lambda n: n // 4)


def _summarise(
    values: Iterable[Value],
    statistic: Callable[[Sample], np.ndarray],
    cut: Callable[[int], int],
) -> Summary:
    kept, missing = finite(values)
    n = len(kept)
    if n < 2:
        return Summary(float(kept[0]) if n else None, None, n, None, None, "none", missing)
    kind: Kind = "t" if n < FEWEST_FOR_BCA else "bca"
    if kept[0] == kept[-1]:
        same = float(kept[0])
        return Summary(same, 0.0, n, same, same, kind, missing)
    if kind == "t":
        low, high = t_ends(kept, cut(n))
    else:
        low, high = bootstrap_ends(kept, statistic, "BCa")
        if not np.isfinite([low, high]).all():
            kind = "percentile"
            low, high = bootstrap_ends(kept, statistic, "percentile")
    mean, std = float(statistic(kept)), float(np.std(kept, ddof=1))
    return Summary(mean, std, n, float(low), float(high), kind, missing)


def finite(values: Iterable[Value]) -> tuple[Float[np.ndarray, " n"], int]:
    """The finite values, sorted so that no result depends on their order; how many are not."""
    given = [math.nan if value is None else float(value) for value in values]
    kept = sorted(value for value in given if math.isfinite(value))
    return np.array(kept, dtype=float), len(given) - len(kept)


def middle_mean(values: Sample) -> Float[np.ndarray, "*samples"]:
    """Mean without the floor(n / 4) smallest and as many largest values."""
    return np.asarray(trim_mean(values, 0.25, axis=-1))


def _mean(values: Sample) -> Float[np.ndarray, "*samples"]:
    return np.asarray(values.mean(axis=-1))


def t_ends(values: Sample, cut: int = 0) -> Ends:
    """Ends of the t interval of the mean of sorted values, `cut` of them trimmed from each end.

        mean -+ t(h - 1) * std_w * sqrt((n - 1) / (h (h - 1))),   h = n - 2 cut

    where std_w is of the values with the trimmed ones moved to the nearest that stays.
    """
    n = values.shape[-1]
    kept = n - 2 * cut
    middle = values[..., cut : n - cut]
    moved = np.clip(values, middle[..., :1], middle[..., -1:])
    reach = stdtrit(kept - 1, (1 + LEVEL) / 2) * np.std(moved, axis=-1, ddof=1)
    reach = reach * math.sqrt((n - 1) / (kept * (kept - 1)))
    return np.asarray(_mean(middle) - reach), np.asarray(_mean(middle) + reach)


def expanded_level(n: int) -> float:
    """Level at which the bootstrap of `n` values is asked for ends that hold at `LEVEL`.

    Resamples spread by the variance with the divisor n, and as a normal does where Student's t is
    right. The level that a normal needs to reach as far as t with the divisor n - 1 mends both.

    Source:
        Hesterberg, What Teachers Should Know About the Bootstrap, 2015,
        https://arxiv.org/abs/1411.5279, expanded percentile intervals.
    """
    reach = math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + LEVEL) / 2)
    return float(2 * ndtr(reach) - 1)


def bootstrap_ends(
    values: Sample,
    statistic: Callable[[Sample], np.ndarray],
    method: Literal["BCa", "percentile"],
) -> Ends:
    """Ends of the bootstrap interval of a statistic that shifts and scales with the values.

    NaN where the method is undefined. The values of one sample must not all be equal.
    """
    lowest, width = values.min(axis=-1), np.ptp(values, axis=-1)
    scaled = (values - lowest[..., None]) / width[..., None]

    def rounded(sample: np.ndarray, axis: int) -> np.ndarray:
        # resamples of equal mean must tie, in whatever order their values were added
        return np.asarray(np.round(statistic(sample), 10))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = bootstrap(
            (scaled,),
            rounded,
            axis=-1,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=expanded_level(values.shape[-1]),
            method=method,
            random_state=np.random.default_rng(SEED),
        ).confidence_interval
    return np.asarray(lowest + width * ends.low), np.asarray(lowest + width * ends.high)
