"""Checks of codes and factors that every metric makes at its door."""

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from numpy.typing import ArrayLike

Codes = Float[np.ndarray, "points latents"]
Factors = Int[np.ndarray, "points factors"]
Numbers = Real[np.ndarray, "points factors"]
TestCodes = Float[np.ndarray, "held latents"]
TestNumbers = Real[np.ndarray, "held factors"]
# What a metric accepts: wider than what it computes with, so that a wrong input meets a message.
Table = tuple[ArrayLike, ArrayLike]

DEAD_FRACTION = 0.05  # the threshold of disentanglement_lib's study, there on an absolute scale


def check_codes(codes: ArrayLike, name: str = "codes") -> Codes:
    """Return the codes as a float array of two axes; float32 stays float32.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If they are not a finite table of at least 2 points and 1 latent.
    """
    array = np.asarray(codes)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{name}` must hold real numbers; got dtype {array.dtype}.")
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (num_points, num_latents) with at least 2 points and "
            f"1 latent; got {array.shape}."
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=0)).tolist()
        raise ValueError(f"`{name}` must be finite; got NaN or infinity in latents {bad}.")
    return array


def check_numbers(
    factors: ArrayLike, name: str = "factors"
) -> Float[np.ndarray, "points factors"]:
    """Return factor values, whole or not, as float64 in two axes.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If one is not finite, or if they are not a table of at least 1 factor.
    """
    array = np.asarray(factors)
    if array.dtype.kind not in "iubf":
        raise TypeError(
            f"`{name}` must hold numbers; got dtype {array.dtype}. "
            "Number the values of each column with numpy.unique(column, return_inverse=True)."
        )
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (num_points, num_factors) with at least 1 factor; "
            f"got {array.shape}."
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        column = int(np.flatnonzero(~np.isfinite(array).all(axis=0))[0])
        value = array[~np.isfinite(array[:, column]), column][0]
        raise ValueError(f"`{name}` must be finite; got {value} in column {column}.")
    return array


def check_factors(factors: ArrayLike, name: str = "factors") -> Factors:
    """Return the factor values as integers in two axes; whole floats are taken as integers.

    Raises:
        TypeError: If they are not numbers.
        ValueError: If a value is not whole, or if they are not a table of at least 1 factor.
    """
    array = check_numbers(factors, name)
    whole = whole_columns(array)
    if not whole.all():
        column = int(np.flatnonzero(~whole)[0])
        value = array[np.trunc(array[:, column]) != array[:, column], column][0]
        raise ValueError(
            f"`{name}` must hold integers for this score; got {value} in column {column}. "
            "Put a continuous factor into numbered bins first."
        )
    return array.astype(np.int64)


def whole_columns(factors: Numbers) -> Bool[np.ndarray, " factors"]:
    """Which factors are integers; the others are continuous."""
    return (np.trunc(factors) == factors).all(axis=0)


def check(codes: ArrayLike, factors: ArrayLike) -> tuple[Codes, Factors]:
    """Check codes and integer factors of the same points.

    Raises:
        TypeError: If either does not hold numbers.
        ValueError: If either has a wrong shape or value, or their lengths differ.
    """
    checked, values = check_codes(codes), check_factors(factors)
    _check_lengths(checked, values)
    return checked, values


def check_any(codes: ArrayLike, factors: ArrayLike) -> tuple[Codes, Numbers]:
    """Check codes and factors, whole or continuous, of the same points.

    Raises:
        TypeError: If either does not hold numbers.
        ValueError: If either has a wrong shape or value, or their lengths differ.
    """
    checked, values = check_codes(codes), check_numbers(factors)
    _check_lengths(checked, values)
    return checked, values


def _check_lengths(codes: np.ndarray, factors: np.ndarray) -> None:
    if len(codes) != len(factors):
        raise ValueError(
            "`codes` and `factors` must have the same number of points; "
            f"got shapes {codes.shape} and {factors.shape}."
        )


def check_logvars(logvars: ArrayLike, codes: Codes) -> Codes:
    """Check log-variances of the posterior against its means.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If they are not finite, or have another shape.
    """
    spread = check_codes(logvars, "logvars")
    if spread.shape != codes.shape:
        raise ValueError(
            f"`logvars` must have the shape of `codes`, {codes.shape}; got {spread.shape}."
        )
    return spread


def check_test(test: Table, codes: Codes, factors: Numbers) -> tuple[TestCodes, TestNumbers]:
    """Check held-out codes and factors against the columns, and the kind, of the others.

    Raises:
        ValueError: If the numbers of points, latents or factors do not agree.
    """
    kind = check_factors if factors.dtype.kind == "i" else check_numbers
    codes_test, factors_test = check_codes(test[0], "test[0]"), kind(test[1], "test[1]")
    got = (len(codes_test), codes_test.shape[1], factors_test.shape[1])
    if got != (len(factors_test), codes.shape[1], factors.shape[1]):
        raise ValueError(
            f"`test` must be held-out (codes, factors) with the columns of {codes.shape} and "
            f"{factors.shape}; got {codes_test.shape} and {factors_test.shape}."
        )
    return codes_test, factors_test


def check_varying(factors: Numbers) -> None:
    """Refuse a factor that has a single value: no score can tell what encodes it.

    Raises:
        ValueError: If a column is constant.
    """
    for column in constant_factors(factors):
        raise ValueError(
            "`factors` must have at least 2 values in each column of the points used to fit; "
            f"got only {factors[0, column]:g} in column {column}. Leave that column out."
        )


def check_two_factors(factors: Numbers, metric: str) -> None:
    """Refuse a single factor where a score compares factors.

    Raises:
        ValueError: If there are fewer than 2 columns.
    """
    if factors.shape[1] < 2:
        raise ValueError(f"`factors` must have at least 2 columns for {metric}; got 1.")


def constant_factors(factors: Numbers) -> list[int]:
    """Columns with a single value."""
    return np.flatnonzero((factors == factors[:1]).all(axis=0)).tolist()


def split(
    codes: Codes, factors: Numbers, test: Table | None, seed: int
) -> tuple[
    Float[np.ndarray, "fitted latents"],
    Real[np.ndarray, "fitted factors"],
    TestCodes,
    TestNumbers,
]:
    """Training and held-out parts: `test` where given, else a third of the points by chance.

    Returns:
        Codes and factors to fit, then codes and factors to test.

    Raises:
        ValueError: If a factor is constant in the part used to fit.
    """
    if test is not None:
        check_varying(factors)
        return codes, factors, *check_test(test, codes, factors)
    order = np.random.default_rng(seed).permutation(len(codes))
    held, rest = np.split(order, [max(1, len(order) // 3)])
    check_varying(factors[rest])
    return codes[rest], factors[rest], codes[held], factors[held]


def live_latents(codes: Codes, fraction: float = DEAD_FRACTION) -> Bool[np.ndarray, " latents"]:
    """Mask of latents that vary, by the codes' own scale.

    A latent is dead if it is constant, or if its standard deviation is below `fraction` of the
    largest one. Posterior means of a collapsed latent have a standard deviation near 0.01, those
    of an informative one between 0.3 and 1.
    """
    std = codes.std(axis=0, dtype=np.float64)
    return (np.ptp(codes, axis=0) > 0) & (std >= fraction * std.max())


def correlation(codes: Codes) -> Float[np.ndarray, "live live"]:
    """Correlation matrix of the latents that are not constant."""
    varying = codes[:, np.ptp(codes, axis=0) > 0].astype(np.float64)
    return np.atleast_2d(np.corrcoef(varying, rowvar=False)) if varying.size else np.zeros((0, 0))
