"""Checks of codes and factors that every metric makes at its door."""

from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from autobeta.metrics._factors import Read, as_array, exact_table, joined, labels, read_column

Codes = Float[np.ndarray, "points latents"]
TestCodes = Float[np.ndarray, "held latents"]
# What a metric accepts: wider than what it computes with, so that a wrong input meets a message.
Table = tuple[ArrayLike, ArrayLike]
Given = ArrayLike | None
Held = Table | None

LARGEST, SMALLEST = 1e30, 1e-30  # of codes; their squares and fourth powers are finite numbers
ULPS = 32  # units in the last place: what a latent varies by if only rounding moves it
LOGVAR = 300.0  # exp(-300) is a point and exp(300) no knowledge, for codes in that range
DEAD_FRACTION = 0.01  # of the posterior's variance; 0.01 is also the variance of an active latent


def real_table(codes: ArrayLike, name: str = "codes") -> Codes:
    """Return a table as finite floats of two axes; float32 stays float32."""
    array = as_array(codes, name)
    if array.dtype.kind == "O" and all(isinstance(v, Real) for v in array.flat):
        array = array.astype(np.float64)  # as pandas has numbers that may be missing
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{name}` must hold real numbers; got dtype {array.dtype}.")
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (num_points, num_latents) with at least 2 points and "
            f"1 latent; got {array.shape}."
        )
    if array.dtype not in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=0)).tolist()
        raise ValueError(f"`{name}` must be finite; got NaN or infinity in latents {bad}.")
    return array


def check_points(codes: Codes, name: str = "codes", least: int = 2) -> Codes:
    """Codes of at least so many points."""
    if len(codes) < least:
        raise ValueError(
            f"`{name}` must have shape (num_points, num_latents) with at least {least} points and "
            f"1 latent; got {codes.shape}."
        )
    return codes


def check_codes(codes: ArrayLike, name: str = "codes", least: int = 2) -> Codes:
    """Return codes as a float table in which a latent that only rounding moves is constant."""
    array = check_points(real_table(codes, name), name, least)
    size = np.abs(array).max(axis=0)
    if size.max() > LARGEST:
        bad = np.flatnonzero(size > LARGEST).tolist()
        raise ValueError(
            f"`{name}` must be at most {LARGEST:g} in size; got {size.max():g} in latents {bad}. "
            f"Divide them by {size.max():g}."
        )
    width = np.ptp(array, axis=0)
    width = np.where(width <= ULPS * np.spacing(size), 0, width)
    if 0 < width.max() < SMALLEST:
        raise ValueError(
            f"`{name}` must vary by at least {SMALLEST:g}, or not at all; got {width.max():g}. "
            f"Divide them by {width.max():g}."
        )
    still = width < SMALLEST
    return np.where(still, array[:1], array) if still.any() else array


def check(codes: ArrayLike, factors: ArrayLike, read: Read = labels) -> tuple[Codes, np.ndarray]:
    """Check codes and factors of the same points; factors come as `read` makes their columns."""
    checked, values = check_codes(codes), table_of(factors, codes)
    columns = [read_column(column, k, read) for k, column in enumerate(values.T)]
    return checked, np.stack(columns, axis=1)


def table_of(factors: ArrayLike, codes: ArrayLike) -> np.ndarray:
    """Factors of the same points as codes, none of their values rounded."""
    values, shape = exact_table(factors), as_array(codes, "codes").shape
    if len(values) != shape[0]:
        raise ValueError(
            "`codes` and `factors` must have the same number of points; "
            f"got shapes {shape} and {values.shape}."
        )
    return values


def check_logvars(logvars: ArrayLike, codes: Codes) -> Codes:
    """Log-variances within +-300, checked against the posterior's means."""
    spread = real_table(logvars, "logvars")
    if spread.shape != codes.shape:
        raise ValueError(
            f"`logvars` must have the shape of `codes`, {codes.shape}; got {spread.shape}."
        )
    return np.clip(spread, -LOGVAR, LOGVAR)


def check_test(test: Table, codes: Codes, factors: np.ndarray) -> tuple[TestCodes, np.ndarray]:
    """Check held-out codes and factors against the columns of the others."""
    if not isinstance(test, tuple | list) or len(test) != 2:
        raise TypeError(f"`test` must be held-out (codes, factors); got {type(test).__name__}.")
    codes_test = check_codes(test[0], "test[0]", least=1)
    factors_test = exact_table(test[1], "test[1]")
    if len(codes_test) != len(factors_test):
        raise ValueError(
            "`test` must have a row of factors for each row of codes; got "
            f"{len(codes_test)} of codes and {len(factors_test)} of factors."
        )
    if (codes_test.shape[1], factors_test.shape[1]) != (codes.shape[1], factors.shape[1]):
        raise ValueError(
            f"`test` must be held-out (codes, factors) with the columns of {codes.shape} and "
            f"{factors.shape}; got {codes_test.shape} and {factors_test.shape}."
        )
    return codes_test, factors_test


def split(
    codes: ArrayLike, factors: ArrayLike, test: Table | None, seed: int, read: Read
) -> tuple[Codes, list[np.ndarray], TestCodes, list[np.ndarray]]:
    """Codes and columns of factors to fit, and to test: `test`, or a third of the points drawn."""
    x, y = check_codes(codes), table_of(factors, codes)
    if test is None:
        order = np.random.default_rng(seed).permutation(len(x))
        held, rest = np.split(order, [max(1, len(x) // 3)])
        x, x_test, both = x[rest], x[held], list(y.T)
    else:
        x_test, y_test = check_test(test, x, y)
        rest, held = np.split(np.arange(len(x) + len(x_test)), [len(x)])
        both = [joined(a, b) for a, b in zip(y.T, y_test.T, strict=True)]
    columns = [read_column(column, k, read, rest) for k, column in enumerate(both)]
    return x, [c[rest] for c in columns], x_test, [c[held] for c in columns]


def check_two_factors(num_factors: int, metric: str) -> None:
    """Refuse a single factor where a score compares factors."""
    if num_factors < 2:
        raise ValueError(f"`factors` must have at least 2 columns for {metric}; got 1.")


def live_latents(
    codes: ArrayLike, logvars: ArrayLike | None = None, *, fraction: float = DEAD_FRACTION
) -> Bool[np.ndarray, " latents"]:
    """Mask of latents that vary more than their own noise.

    A latent is dead if it is constant, or if the variance of its posterior means is not above
    `fraction` of the mean variance of its posteriors, whatever its scale; without `logvars` only
    constant latents are known to be dead. Means of a collapsed latent have a standard deviation
    near 0.01 beside a posterior's of 1, those of an informative one 0.3 to 1 beside less.
    """
    means = check_codes(codes)
    varies = np.ptp(means, axis=0) > 0
    if logvars is None:
        return varies
    noise = np.exp(check_logvars(logvars, means).astype(np.float64)).mean(axis=0)
    return varies & (means.var(axis=0, dtype=np.float64) > fraction * noise)


def standardised(codes: Codes) -> Float[np.ndarray, "points latents"]:
    """Codes as float64 with mean 0 and variance 1; a constant latent is 0 throughout."""
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    varies = np.ptp(codes, axis=0) > 0
    return np.where(varies, centred, 0) / np.where(varies, centred.std(axis=0), 1)


def clipped(score: Any, high: float = 1.0) -> float:  # noqa: ANN401 - any number
    """A score within its range, which rounding can leave by a few units in the last place."""
    return float(np.clip(score, 0, high))
