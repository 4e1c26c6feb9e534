"""Any arrays at all: a value in the metric's range, or a sentence that says what is wrong."""

import inspect
import re
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autobeta.metrics import intervals, live_latents, score, udr, udr_spearman
from autobeta.registry import available, load

EDGES = [0, -0.0, 1, -1, 0.1, 1e-300, 5e-324, 1e-30, 1e-12, 1e12, 1e30, 1e100, 1e308, 2.0**60]
KINDS = ["f4", "f2", "i8", "u8", "?", "O", "U8", "longdouble"]
SAID = "left out|.* left out|.* is inf: |latents .* vary little"
WRONG = [np.nan, np.inf, -np.inf]
# `name` must ...; got ..., or the same of a name in brackets
HOUSE = re.compile(r"(`[^`]+`|a metric|the variant of \w+) must|`[^`]+` of \w+ must")


@st.composite
def tables(draw, num_points, least=0, most=5):
    """A table of real numbers of some kind, with all that can be odd about it."""
    width = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kind = draw(
        st.sampled_from(["normal", "few", "constant", "ulps", "row", "edges", "wrong", "copy"])
    )
    table = rng.normal(size=(num_points, width))
    if kind == "few":
        table = rng.integers(-2, 3, size=(num_points, width))
    elif kind in ("constant", "ulps"):
        table = np.full((num_points, width), 0.1, dtype=draw(st.sampled_from(["f4", "f8"])))
        steps = rng.integers(0, 4, size=table.shape) * (kind == "ulps")
        table += (steps * np.spacing(table)).astype(table.dtype)
    elif kind == "row":
        table = np.repeat(np.arange(num_points)[:, None], width, axis=1)
    elif kind in ("edges", "wrong"):
        odd = EDGES + WRONG * (kind == "wrong")
        table = rng.choice(odd, size=(num_points, width))
    elif kind == "copy":
        table = np.repeat(rng.normal(size=(num_points, 1)), width, axis=1)
    scale = draw(st.sampled_from([1, 1, 1, 1e-300, 1e-29, 1e29, 1e100, 100]))
    with np.errstate(over="ignore", invalid="ignore"):
        table = table * scale if kind != "few" else table
        dtype = draw(
            st.sampled_from([None, None, "f4", "f2", "i8", "u8", "?", "O", "U8", "longdouble"])
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            table = table if dtype is None else table.astype(dtype)
    return draw(st.sampled_from([table, table, table.tolist()])) if width else table


@st.composite
def inputs(draw, factors=True):
    """Codes and factors, mostly of as many points, and now and then the other inputs."""
    n = draw(st.integers(0, 40))
    other = n if draw(st.integers(0, 9)) else n + 1
    found = {"codes": draw(tables(n)), "factors": draw(tables(other, most=3))}
    if draw(st.booleans()):  # a sound pair, so that more than the door is tried
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        found["codes"] = rng.normal(size=(n, 3)) if draw(st.booleans()) else found["codes"]
        found["factors"] = rng.integers(draw(st.sampled_from([2, 3, 20])), size=(n, 2)) - 1
    if draw(st.booleans()):
        found["logvars"] = draw(tables(n))
    if draw(st.booleans()):
        held = draw(st.integers(0, 6))
        found["test"] = draw(tables(held)), draw(tables(held, most=3))
    return found


def numbers(value):
    if isinstance(value, dict):
        return [n for part in value.values() for n in numbers(part)]
    return list(value) if isinstance(value, tuple) else [value]


def functions():
    for name in available("metrics"):
        module = load("metrics", name)
        for function in sorted({name, *getattr(module, "VARIANTS", {}).values()}):
            slow = pytest.mark.slow if function == "dci_gbt" else ()
            yield pytest.param(getattr(module, function), module.RANGE, id=function, marks=slow)


def attempt(function, *arguments, **options):
    """What a function gives, or nothing where it refuses in the house's form."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError) as error:
        if not HOUSE.search(str(error)):
            raise AssertionError(f"not in the house's form: {error}") from error
        return None


@pytest.mark.parametrize(("metric", "ends"), list(functions()))
@given(found=inputs())
@settings(
    max_examples=40, deadline=20_000, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_a_metric_gives_a_value_in_its_range_or_says_why_not(metric, ends, found):
    taken = inspect.signature(metric).parameters
    options = {k: v for k, v in found.items() if k in taken}
    for few in {"num_train", "num_eval"} & {*taken}:
        options[few] = 20
    if "logvars" in taken and taken["logvars"].default is inspect.Parameter.empty:
        options.setdefault("logvars", np.zeros(np.shape(found["codes"])))
    value = attempt(metric, options.pop("codes"), options.pop("factors"), **options)
    assert value is None or all(ends[0] <= number <= ends[1] for number in numbers(value))


@pytest.mark.whole
@given(found=inputs())
@settings(
    max_examples=60, deadline=20_000, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_the_suite_gives_values_or_warnings(found):
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "left out|.* left out|.* is inf: |latents .* vary little"
        )
        value = attempt(score, **found)
    assert value is None or not any(np.isnan(number) for number in numbers(value))


@given(found=inputs())
@settings(
    max_examples=20, deadline=20_000, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_intervals_and_ranks_of_any_arrays(found):
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "left out|.* left out|.* is inf: |latents .* vary little"
        )
        attempt(intervals, **found, metrics=["mcc"], halves=2)
        attempt(intervals, found["codes"], halves=2)
    attempt(live_latents, found["codes"], found.get("logvars"))
    for rank in (udr, udr_spearman):
        runs = [(found["codes"], found.get("logvars", np.zeros(np.shape(found["codes"]))))] * 2
        value = attempt(rank, runs)
        assert value is None or ((value >= 0) & (value <= 1)).all()
