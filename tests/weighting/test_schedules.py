from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import schedules


def test_published_schedule_reaches_its_end_after_780_000_steps():
    c = schedules.hybrid(0.5, 20.0, increment=0.15, period=6000, ramp=1000)
    assert c(0) == c(5998) == 0.5
    assert c(5999) == pytest.approx(0.5 + 0.15 / 1000)
    assert c(6998) == pytest.approx(0.65)
    assert c(11_998) == pytest.approx(0.65)
    assert c(779_998) < 20.0
    assert c(781_000) == 20.0
    assert c(99_999) == pytest.approx(
        0.5 + 16 * 0.15
    )  # 15 rises done, the 16th too: 4,001 of 6,000


def test_linear_ends_where_it_should():
    c = schedules.linear(1.0, 3.0, steps=4)
    assert [c(t) for t in (0, 2, 4, 9)] == [1.0, 2.0, 3.0, 3.0]


@given(st.integers(20, 200_000), st.floats(0.3, 1.0), st.integers(1, 200))
def test_fitted_schedules_rise_from_start_to_end(num_steps, rising, rises):
    for fitted in (schedules.fitted_hybrid, schedules.fitted_staircase):
        c = fitted(0.5, 20.0, num_steps=num_steps, rises=rises, rising=rising)
        values = [c(t) for t in range(0, num_steps, max(1, num_steps // 97))]
        assert values[0] <= 0.5 + 19.5 / min(rises, num_steps) * 7
        assert all(a <= b for a, b in pairwise(values))
        assert c(2 * num_steps) == pytest.approx(20.0)


def test_fitted_schedule_is_at_its_end_after_the_rising_part():
    c = schedules.fitted_hybrid(0.5, 20.0, num_steps=20_000, rising=0.7)
    assert c(int(0.69 * 20_000)) < 20.0
    assert c(int(0.72 * 20_000)) == pytest.approx(20.0)


def test_fitted_schedule_that_would_fall_is_constant():
    assert schedules.fitted_hybrid(5.0, 3.0, num_steps=100)(50) == 3.0
    assert schedules.fitted_staircase(5.0, 3.0, num_steps=100, rises=3)(50) == 3.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.linear(0.0, 1.0, steps=0), "`steps` must be at least 1; got 0"),
        (
            lambda: schedules.hybrid(0.0, 1.0, increment=0.0, period=5, ramp=1),
            "`increment` must be positive; got 0",
        ),
        (
            lambda: schedules.hybrid(0.0, 1.0, increment=1.0, period=5, ramp=6),
            r"`ramp` must be in 1\.\.`period`; got 6",
        ),
        (
            lambda: schedules.fitted_hybrid(0.0, 1.0, num_steps=100, rising=0.0),
            r"`rising` must be in \(0, 1\]; got 0",
        ),
    ],
    ids=range(4),
)
def test_bad_schedule_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
