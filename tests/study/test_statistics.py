"""Summaries of few seeds: known values and laws; a score's own error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autobeta.study import _intervals
from autobeta.study.statistics import (
    Summary,
    VarianceParts,
    estimation_error,
    interquartile_mean,
    summary,
)

# sums of whole numbers are exact, so that the laws hold to the last digit
SAMPLES = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=20)
STATISTICS = pytest.mark.parametrize("statistic", [summary, interquartile_mean])


def ends(found):
    return np.array([found.low, found.high])


def test_three_values_have_the_t_interval_of_their_mean():
    found = summary([1.0, 2.0, 6.0])
    reach = 4.302652729749464 * math.sqrt(7) / math.sqrt(3)  # t of two degrees, from a table
    assert found[:3] == pytest.approx((3.0, math.sqrt(7), 3))
    assert ends(found) == pytest.approx([3 - reach, 3 + reach])
    assert found.interval == "t"


@pytest.mark.parametrize("n", [8, 13, 20])
def test_eight_values_and_more_have_the_interval_of_scipys_bca(n):
    values = np.random.default_rng(n).exponential(1000, size=n).round()  # ties stay ties
    found = summary(values.tolist())
    reach = math.sqrt(n / (n - 1)) * stats.t(n - 1).ppf(0.975)
    seeded = {"random_state": np.random.default_rng(_intervals.SEED), "n_resamples": 9999}
    seeded["confidence_level"] = 1 - 2 * stats.norm.sf(reach)
    expected = stats.bootstrap((np.sort(values),), np.mean, method="BCa", **seeded)
    assert ends(found) == pytest.approx(list(expected.confidence_interval), abs=1e-5)
    assert found.interval == "bca"


def test_seven_values_have_no_bootstrap():
    assert summary(range(7)).interval == "t"


@STATISTICS
def test_one_value_has_neither_spread_nor_interval(statistic):
    assert statistic([0.5]) == Summary(0.5, None, 1, None, None, "none", 0)


@STATISTICS
@pytest.mark.parametrize("values", [[], [None, math.nan, math.inf]])
def test_no_finite_value_has_no_mean(statistic, values):
    assert statistic(values) == Summary(None, None, 0, None, None, "none", len(values))


@STATISTICS
@pytest.mark.parametrize("n", [2, 7, 8, 20])
def test_equal_values_have_an_interval_of_width_zero(statistic, n):
    kind = "t" if n < 8 else "bca"
    assert statistic([0.1] * n) == Summary(0.1, 0.0, n, 0.1, 0.1, kind, 0)


@STATISTICS
@given(values=SAMPLES)
def test_values_that_are_not_finite_are_counted_and_change_nothing(statistic, values):
    absent = [None, *values, math.nan, -math.inf]
    assert statistic(absent) == statistic(values)._replace(missing=3)


@STATISTICS
@given(values=SAMPLES, shift=st.integers(-1000, 1000))
def test_shifted_values_shift_the_interval(statistic, values, shift):
    found, moved = statistic(values), statistic([v + shift for v in values])
    assert ends(moved) == pytest.approx(ends(found) + shift, abs=1e-6)
    assert (moved.std, moved.interval) == (pytest.approx(found.std), found.interval)


@STATISTICS
@given(values=SAMPLES, power=st.integers(-10, 10))
def test_scaled_values_scale_the_interval(statistic, values, power):
    found, scaled = statistic(values), statistic([v * 2.0**power for v in values])
    assert ends(scaled) == pytest.approx(ends(found) * 2.0**power, abs=1e-6 * 2.0**power)


@STATISTICS
@given(values=SAMPLES, data=st.data())
def test_order_of_values_does_not_matter(statistic, values, data):
    assert statistic(data.draw(st.permutations(values))) == statistic(values)


@STATISTICS
@given(values=SAMPLES)
def test_interval_holds_the_mean(statistic, values):
    found = statistic(values)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9


def test_ties_are_ties_whatever_rounding_does():
    """0.1 + 0.3 + 0.1 and 0.1 + 0.1 + 0.3 differ in the last bit, which must not move BCa."""
    tenths, whole = summary([0.1] * 4 + [0.3] * 4), summary([1] * 4 + [3] * 4)
    assert ends(tenths) == pytest.approx(ends(whole) / 10, abs=1e-9)


def test_interquartile_mean_cuts_a_quarter_rounded_down_from_each_end():
    for n, kept in {1: 1, 3: 3, 4: 2, 7: 5, 8: 4, 11: 7, 12: 6}.items():
        cut = (n - kept) // 2
        middle = [v**2 for v in range(cut, n - cut)]
        found = interquartile_mean([v**2 for v in reversed(range(n))])
        assert found.mean == pytest.approx(np.mean(middle))


def test_t_interval_of_the_interquartile_mean_is_yuens():
    found = interquartile_mean([9.0, 1.0, 2.0, 4.0, 90.0])
    moved = [2.0, 2.0, 4.0, 9.0, 9.0]  # one value cut from each end, moved to its neighbour
    squares = sum((v - np.mean(moved)) ** 2 for v in moved)
    reach = 4.302652729749464 * math.sqrt(squares / (3 * 2))
    assert ends(found) == pytest.approx([5 - reach, 5 + reach])


def test_percentiles_take_over_where_no_single_value_moves_the_interquartile_mean():
    found = interquartile_mean([0.0] * 7 + [1.0])
    assert found.interval == "percentile"
    assert 0 == found.mean == found.low < found.high <= 1


def test_own_error_and_spread_over_seeds_are_told_apart():
    t = stats.t.ppf(0.975, 19)
    values = [0.0, 2.0, 4.0]  # standard deviation 2
    found = estimation_error(values, [(v - t, v + t) for v in values])
    assert found == pytest.approx(VarianceParts(1.0, 2.0, math.sqrt(3), 0.25, 3))


def test_own_error_is_recovered_from_simulated_runs():
    rng = np.random.default_rng(0)
    runs, own, between = 2000, 0.6, 0.8
    means = between * rng.normal(size=runs) + own * rng.normal(size=runs)
    errors = own * np.sqrt(rng.chisquare(19, size=runs) / 19)
    reach = stats.t.ppf(0.975, 19) * errors
    pairs = list(zip(means - reach, means + reach, strict=True))
    found = estimation_error(means.tolist(), pairs)
    # relative error of a standard deviation is 1 / sqrt(2 n)
    assert found.own == pytest.approx(own, rel=5 / math.sqrt(2 * 19 * runs))
    assert found.observed == pytest.approx(1.0, rel=5 / math.sqrt(2 * runs))
    assert found.share == pytest.approx(own**2, rel=5 * math.sqrt(2 / runs))


def test_side_that_a_range_cuts_does_not_shrink_the_own_error():
    whole = estimation_error([0.9, 0.8], [(0.7, 1.1), (0.6, 1.0)])
    assert estimation_error([0.9, 0.8], [(0.7, 1.0), (0.6, 1.0)]) == pytest.approx(whole)


def test_spread_below_the_own_error_leaves_nothing_between_seeds():
    found = estimation_error([0.5, 0.51], [(0.3, 0.7), (0.3, 0.7)])
    assert (found.between, found.share) == (0.0, 1.0)
    assert estimation_error([0.5, 0.5], [(0.3, 0.7), (0.3, 0.7)]).share == 1.0
    assert estimation_error([1.0, 1.0], [(1.0, 1.0), (1.0, 1.0)]).share is None


def test_own_error_of_one_run_has_no_spread_beside_it():
    found = estimation_error(
        [0.5, None, 0.4, math.nan], [(0.4, 0.6), (0.0, 1.0), None, (0.0, 1.0)]
    )
    assert found == VarianceParts(found.own, None, None, None, 1)
    assert found.own > 0
    assert estimation_error([], []) == VarianceParts(None, None, None, None, 0)


def test_intervals_that_cannot_belong_to_the_values_are_refused():
    with pytest.raises(ValueError, match="`intervals` must be one for each value; got 1 for 2"):
        estimation_error([0.1, 0.2], [(0.0, 0.3)])
    with pytest.raises(ValueError, match=r"`intervals` must hold their values; got 0.5 with"):
        estimation_error([0.5], [(0.0, 0.3)])
    with pytest.raises(ValueError, match="`halves` must be at least 2; got 1"):
        estimation_error([0.5], [(0.0, 1.0)], halves=1)
