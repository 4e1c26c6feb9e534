"""All metrics of one representation at once."""

import warnings
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from autobeta.metrics._validate import (
    Codes,
    Factors,
    Table,
    TestCodes,
    TestFactors,
    check,
    check_test,
    constant_factors,
)
from autobeta.registry import available, describe, load

KeptFactors = Int[np.ndarray, "points kept"]
KeptTestFactors = Int[np.ndarray, "held kept"]
Result = dict[str, float | dict[str, float]]


def printed_name(name: str) -> str:
    """Name of a metric with its variant, as it stands in results.

    Raises:
        ValueError: If there is no such metric.

    Example:
        >>> printed_name("mig"), printed_name("sap")
        ('mig[bins=20]', 'sap')
    """
    variant = describe("metrics", name).get("VARIANT")
    return f"{name}[{variant}]" if variant else name


def score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> Result:
    """Scores of one representation by every metric, or by those named, at their defaults.

    Constant factors are left out of all metrics, with a warning. Without `metrics`, those that
    need absent `logvars` are skipped, and those undefined for the input (such as modularity with
    one factor) are left out with a warning that gives the reason. A metric asked for by name
    raises instead.

    Args:
        codes: Posterior means, shape (num_points, num_latents); 10,000 points are customary.
        factors: Integer factor values, shape (num_points, num_factors).
        logvars: Posterior log-variances, shape of `codes`, for metrics of the full posterior.
        test: Held-out (codes, factors) for metrics that fit a predictor; they hold out a third of
            the points themselves without it.
        metrics: Names of metrics, such as "mig"; all where not given.
        seed: Seed of every metric.

    Returns:
        Printed name, with the variant in brackets, to the value, or to a dict of values by name.

    Raises:
        TypeError: If an input does not hold numbers.
        ValueError: If all factors are constant, if the tables do not fit together, if there is no
            metric of a name, or if one asked for by name is undefined.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> score(v, v, metrics=["mig"])
        {'mig[bins=20]': 1.0}
    """
    codes, factors = check(codes, factors)
    held = None if test is None else check_test(test, codes, factors)
    factors, held = _drop_constant(factors, held)
    given = {"logvars": logvars, "test": held}
    results: Result = {}
    for name in available("metrics") if metrics is None else metrics:
        try:
            value = _one(name, codes, factors, given, seed)
        except ValueError as error:
            if metrics is not None:
                raise
            if logvars is not None or "logvars" not in _needs(name):
                warnings.warn(f"{name} is left out: {error}", stacklevel=2)
            continue
        results[printed_name(name)] = value
    return results


def _needs(name: str) -> tuple[str, ...]:
    """Inputs of a metric, read from its file."""
    return cast(tuple[str, ...], describe("metrics", name)["NEEDS"])


def _one(
    name: str, codes: Codes, factors: Factors, given: Mapping[str, object], seed: int
) -> float | dict[str, float]:
    """Value of one metric, with those of the optional inputs that it takes."""
    needs = _needs(name)
    if "logvars" in needs and given["logvars"] is None:
        raise ValueError(f"`logvars` must be given for {name!r}; got None.")
    function = getattr(load("metrics", name), name)
    inputs = {key: value for key, value in given.items() if key in needs}
    value = function(codes, factors, seed=seed, **inputs)
    return value._asdict() if hasattr(value, "_asdict") else value


def _drop_constant(
    factors: Factors, test: tuple[TestCodes, TestFactors] | None
) -> tuple[KeptFactors, tuple[TestCodes, KeptTestFactors] | None]:
    """Factors without constant columns, and held-out factors without the same columns."""
    constant = constant_factors(factors)
    if not constant:
        return factors, test
    if len(constant) == factors.shape[1]:
        raise ValueError("`factors` must have a column that varies; all columns are constant.")
    warnings.warn(f"constant factors in columns {constant} are left out", stacklevel=3)
    kept = np.delete(factors, constant, axis=1)
    return kept, None if test is None else (test[0], np.delete(test[1], constant, axis=1))
