"""All metrics of one representation at once."""

import inspect
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from autobeta.metrics._factors import constant_factors, has_too_many
from autobeta.metrics._names import (
    as_names,
    check_metrics,
    facts,
    find,
    needed,
    parse,
    printed_name,
)
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import (
    Given,
    Held,
    check_logvars,
    check_points,
    check_test,
    real_table,
    table_of,
)
from autobeta.registry import available, is_outside

Result = dict[str, float | dict[str, float]]
Inputs = Mapping[str, Any]

MOST_JOBS = 1000
_REFUSALS = (ValueError, ImportError)
HARDLY = 0.05  # of the widest latent's standard deviation


def score(
    codes: ArrayLike,
    factors: Given = None,
    *,
    logvars: Given = None,
    test: Held = None,
    metrics: Iterable[str] | None = None,
    n_jobs: int = 1,
    seed: int = 0,
) -> Result:
    """Scores of one representation by the default metrics, or by those named.

    Constant factors are left out of all metrics, with a warning. Without `metrics`, factors with
    too many values are too, metrics that need absent `factors` or `logvars` are skipped, and those
    undefined for the input (such as modularity with one factor) are left out with a warning that
    says why; asked for by name they raise. A value that is not finite is returned, with a warning.

    Args:
        codes: Posterior means, shape (num_points, num_latents); 10,000 points are customary.
        factors: Integers, shape (num_points, num_factors); some metrics take continuous ones. None
            leaves the metrics of the codes alone.
        logvars: Posterior log-variances, shape of `codes`.
        test: Held-out (codes, factors) for metrics that fit a predictor, by default a third.
        metrics: Names of metrics or of variants, such as "mig[bins=10]" or "dci[gbt]".
        n_jobs: Processes or threads for metrics that can use several; -1 for all.
        seed: Seed of every metric.

    Returns:
        Printed name, with the variant in brackets, to the value, or to a dict of values by name.

    Raises:
        TypeError, ValueError: If tables are not of finite numbers of a fair scale, do not fit
            together, an option is out of range, or a metric that is asked for can't be had.
        ImportError: If one asked for by name needs a library that can't be loaded.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> score(v, v, metrics=["mig[bins=10]", "factorvae"])
        {'mig[bins=10]': 1.0, 'factorvae': 1.0}
    """
    metrics = as_names(metrics)
    inputs = prepare(codes, factors, logvars, test, named=metrics is not None)
    return score_prepared(inputs, metrics, n_jobs, seed)


def prepare(
    codes: ArrayLike, factors: Given, logvars: Given, test: Held, *, named: bool
) -> Inputs:
    """Checked inputs by name, without factors that no metric can use; absent ones left out."""
    table = real_table(codes)
    inputs: dict[str, Any] = {"codes": check_points(table) if named else table}
    if factors is not None:
        values = table_of(factors, inputs["codes"])
        held = None if test is None else check_test(test, inputs["codes"], values)
        unused = _unused(values, named)
        if len(unused) < values.shape[1]:
            inputs["factors"] = np.delete(values, unused, axis=1)
            inputs["columns"] = np.delete(np.arange(values.shape[1]), unused)
            if held is not None:
                inputs["test"] = held[0], np.delete(held[1], unused, axis=1)
    if logvars is not None:
        inputs["logvars"] = check_logvars(logvars, inputs["codes"])
    return inputs


def _unused(factors: np.ndarray, named: bool) -> list[int]:
    """Columns to leave out, with a warning; a metric asked for by name refuses the latter."""
    constant = constant_factors(factors)
    if named and len(constant) == factors.shape[1]:
        raise ValueError("`factors` must have a column that varies; all columns are constant.")
    many = [k for k, v in enumerate(factors.T) if k not in constant and has_too_many(v)]
    reasons = {"constant factors": constant, "factors with too many values": [] if named else many}
    for what, columns in reasons.items():
        if columns:
            warnings.warn(f"{what} in columns {columns} are left out", stacklevel=4)
    return [k for columns in reasons.values() for k in columns]


def score_prepared(
    inputs: Inputs, metrics: Sequence[str] | None, n_jobs: int, seed: int
) -> Result:
    """`score` of inputs from `prepare`."""
    check_options({}, seed)
    if not isinstance(n_jobs, Integral) or not -MOST_JOBS <= n_jobs <= MOST_JOBS or n_jobs == 0:
        raise ValueError(
            f"`n_jobs` must be a whole number but 0, at most {MOST_JOBS:,}; got {n_jobs!r}. -1 "
            "takes all cores."
        )
    n_jobs = int(n_jobs)
    given = {f"has_{key}": key in inputs for key in ("factors", "logvars")}
    check_metrics(metrics or (), **given)
    results: Result = {}
    left_out: dict[str, list[str]] = {}
    with threadpool_limits(1, user_api="blas"):  # the tables are small, threads only wait
        for name in available("metrics") if metrics is None else metrics:
            default = facts(parse(name).base)["DEFAULT"] and needed(name) <= set(inputs)
            if metrics is None and not default:
                continue
            try:
                results[printed_name(name)] = _one(name, inputs, n_jobs, seed)
            except Exception as error:
                foreign = is_outside("metrics", parse(name).base)  # it may raise anything
                reason = _numbered(str(error), inputs)
                if metrics is not None and reason != str(error):
                    raise type(error)(reason) from error
                if metrics is not None or not (foreign or isinstance(error, _REFUSALS)):
                    raise
                left_out.setdefault(reason, []).append(name)
    _warn(left_out, results, inputs)
    return results


def _numbered(reason: str, inputs: Inputs) -> str:
    """A metric's refusal with the numbers that columns of factors were given with."""
    given = inputs.get("columns", ())
    return re.sub(
        r"(?<=`factors` must)(.*\bcolumn )(\d+)",
        lambda m: f"{m[1]}{given[int(m[2])] if int(m[2]) < len(given) else m[2]}",
        reason,
    )


def _one(name: str, inputs: Inputs, n_jobs: int, seed: int) -> float | dict[str, float]:
    metric = find(name)
    taken = inspect.signature(metric).parameters
    given = {"n_jobs": n_jobs, **inputs}
    options = {k: given[k] for k in ("logvars", "test", "n_jobs") if k in taken and k in given}
    value = metric(inputs["codes"], inputs.get("factors"), seed=seed, **options)
    return value._asdict() if hasattr(value, "_asdict") else value


def _warn(left_out: Mapping[str, list[str]], results: Result, inputs: Inputs) -> None:
    for reason, names in left_out.items():
        warnings.warn(f"left out: {', '.join(names)}. {reason}", stacklevel=4)
    for name, value in results.items():
        for number in value.values() if isinstance(value, dict) else [value]:
            if not math.isfinite(number):
                reason = facts(parse(name).base).get("NOT_FINITE", "it is undefined here")
                warnings.warn(f"{name} is {number}: {reason}", stacklevel=4)
    asked = [name for name in results if facts(parse(name).base).get("DEAD_RULE")]
    if asked and "logvars" not in inputs:
        std = inputs["codes"].std(axis=0, dtype=np.float64)
        quiet = np.flatnonzero((std > 0) & (std < HARDLY * std.max())).tolist()
        if quiet:
            warnings.warn(
                f"latents {quiet} vary little beside the widest. Without `logvars` they count as "
                f"live in {', '.join(asked)}; dead ones should take no part there.",
                stacklevel=4,
            )
