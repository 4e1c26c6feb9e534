"""How often the intervals of a mean hold it: the figures in `autobeta.study.statistics`."""

import math

import numpy as np
import pytest

from autobeta.study import _intervals
from autobeta.study.statistics import summary

# measured over 20,000 samples each with t, 6,000 with the bootstrap
COVERAGE = {
    ("normal", 3): 0.95,
    ("normal", 5): 0.95,
    ("normal", 8): 0.943,
    ("normal", 12): 0.942,
    ("normal", 20): 0.947,
    ("exponential", 3): 0.883,
    ("exponential", 5): 0.884,
    ("exponential", 8): 0.916,
    ("exponential", 12): 0.929,
    ("exponential", 20): 0.932,
}


def covered(name, n, samples):
    """Share of the intervals that hold the true mean, as `summary` finds them."""
    rng = np.random.default_rng(n)
    hits = 0
    for _ in range(0, samples, 200):
        values = np.sort(getattr(rng, name)(size=(200, n)), axis=-1)
        small = n < _intervals.FEWEST_FOR_BCA
        found = _intervals.t_ends(values) if small else bca(values)
        found = np.array(found) - (name == "exponential")  # whose mean is 1
        hits += np.sum((found[0] <= 0) & (found[1] >= 0))
    return hits / samples


def bca(values):
    return _intervals.bootstrap_ends(values, lambda v: v.mean(axis=-1), "BCa")


def five_errors(expected, samples):
    return pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / samples))


@pytest.mark.parametrize(("name", "n"), COVERAGE)
def test_intervals_cover_as_often_as_measured(name, n, monkeypatch):
    monkeypatch.setattr(_intervals, "RESAMPLES", 999)
    samples = 4000 if n < _intervals.FEWEST_FOR_BCA else 2000
    assert covered(name, n, samples) == five_errors(COVERAGE[name, n], samples)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), COVERAGE)
def test_intervals_of_all_resamples_cover_as_often_as_measured(name, n):
    assert covered(name, n, 4000) == five_errors(COVERAGE[name, n], 4000)


def test_coverage_is_that_of_the_intervals_that_summary_gives():
    values = np.sort(np.random.default_rng(0).normal(size=(3, 9)), axis=-1)
    together = np.array(bca(values)).T
    assert together == pytest.approx(np.array([summary(row.tolist())[3:5] for row in values]))
