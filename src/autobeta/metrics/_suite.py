"""All metrics of one representation at once."""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from autobeta.metrics._names import default_metrics, find, needs, printed_name
from autobeta.metrics._validate import (
    Table,
    check_any,
    check_codes,
    check_logvars,
    check_test,
    constant_factors,
)

Result = dict[str, float | dict[str, float]]
Inputs = Mapping[str, Any]


def score(
    codes: ArrayLike,
    factors: ArrayLike | None = None,
    *,
    logvars: ArrayLike | None = None,
    test: Table | None = None,
    metrics: Sequence[str] | None = None,
    n_jobs: int = 1,
    seed: int = 0,
) -> Result:
    """Scores of one representation by the default metrics, or by those named.

    Constant factors are left out of all metrics, with a warning. Without `metrics`, those that
    need absent `factors` or `logvars` are skipped, and those undefined for the input (such as
    modularity with one factor, or information about a continuous one) are left out with a warning
    that gives the reason. A metric asked for by name raises instead.

    Args:
        codes: Posterior means, shape (num_points, num_latents); 10,000 points are customary.
        factors: Factor values, shape (num_points, num_factors): integers; some metrics take
            continuous ones. None leaves the metrics of the codes alone.
        logvars: Posterior log-variances, shape of `codes`, for metrics of the full posterior.
        test: Held-out (codes, factors) for metrics that fit a predictor; they hold out a third of
            the points themselves without it.
        metrics: Names of metrics, such as "mig", or of variants, such as "mig[bins=10]" or
            "dci[gbt]"; the default suite where not given.
        n_jobs: Processes or threads for metrics that can use several.
        seed: Seed of every metric.

    Returns:
        Printed name, with the variant in brackets, to the value, or to a dict of values by name.

    Raises:
        TypeError: If an input does not hold numbers.
        ValueError: If all factors are constant, if the tables do not fit together, if there is no
            metric of a name, or if one asked for by name is undefined.
        ImportError: If one asked for by name needs a library that can't be loaded.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> score(v, v, metrics=["mig[bins=10]", "factorvae"])
        {'mig[bins=10]': 1.0, 'factorvae': 1.0}
    """
    inputs = prepare(codes, factors, logvars, test)
    return score_prepared(inputs, metrics, n_jobs, seed)


def prepare(
    codes: ArrayLike,
    factors: ArrayLike | None,
    logvars: ArrayLike | None,
    test: Table | None,
) -> Inputs:
    """Checked inputs by name, without constant factors; absent ones are left out."""
    if factors is None:
        inputs: dict[str, Any] = {"codes": check_codes(codes)}
    else:
        inputs = dict(zip(("codes", "factors"), check_any(codes, factors), strict=True))
        held: Table | None = test and check_test(test, inputs["codes"], inputs["factors"])
        inputs["factors"], held = _drop_constant(inputs["factors"], held)
        if held is not None:
            inputs["test"] = held
    if logvars is not None:
        inputs["logvars"] = check_logvars(logvars, inputs["codes"])
    return inputs


def score_prepared(
    inputs: Inputs, metrics: Sequence[str] | None, n_jobs: int, seed: int
) -> Result:
    """`score` of inputs from `prepare`."""
    results: Result = {}
    with threadpool_limits(1, user_api="blas"):  # the tables are small, threads only wait
        for name in default_metrics() if metrics is None else metrics:
            absent = {"factors", "logvars"} & set(needs(name)) - set(inputs)
            if absent and metrics is None:
                continue
            try:
                results[printed_name(name)] = _one(name, inputs, absent, n_jobs, seed)
            except (ValueError, ImportError) as error:
                if metrics is not None:
                    raise
                warnings.warn(f"{name} is left out: {error}", stacklevel=3)
    return results


def _one(
    name: str, inputs: Inputs, absent: set[str], n_jobs: int, seed: int
) -> float | dict[str, float]:
    """Value of one metric, with those of the optional inputs that it takes."""
    metric, wanted = find(name), needs(name)
    for missing in sorted(absent):
        raise ValueError(f"`{missing}` must be given for {name!r}; got None.")
    options = {key: v for key, v in inputs.items() if key in {"logvars", "test"} & {*wanted}}
    if "n_jobs" in inspect.signature(metric).parameters:
        options["n_jobs"] = n_jobs
    value = metric(inputs["codes"], inputs.get("factors"), seed=seed, **options)
    return value._asdict() if hasattr(value, "_asdict") else value


def _drop_constant(factors: np.ndarray, test: Table | None) -> tuple[np.ndarray, Table | None]:
    """Factors without constant columns, and held-out factors without the same columns."""
    constant = constant_factors(factors)
    if not constant:
        return factors, test
    if len(constant) == factors.shape[1]:
        raise ValueError("`factors` must have a column that varies; all columns are constant.")
    warnings.warn(f"constant factors in columns {constant} are left out", stacklevel=4)
    kept = np.delete(factors, constant, axis=1)
    return kept, None if test is None else (test[0], np.delete(test[1], constant, axis=1))
