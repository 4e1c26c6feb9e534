import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.methods import Facts, pilot
from autobeta.models import Bernoulli
from autobeta.weighting import schedules

FACTS = Facts(
    num_latents=10,
    num_train=100,
    image_shape=(64, 64, 1),
    num_steps=101,
    likelihood=Bernoulli(),
)


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


@pytest.mark.parametrize("rises", [1, 2, 4])
@pytest.mark.parametrize("rising", [0.9, 1.0])
def test_a_schedule_of_few_long_rises_is_at_its_end_within_the_run(rises, rising):
    c = schedules.fitted_hybrid(0.5, 20.0, num_steps=6000, rises=rises, rising=rising)
    assert c(5999) == pytest.approx(20.0)
    assert c(round(5990 * rising) - 1500 // rises) < 20.0


def test_fitted_schedule_that_would_fall_is_constant():
    assert schedules.fitted_hybrid(5.0, 3.0, num_steps=100)(50) == 3.0
    assert schedules.fitted_staircase(5.0, 3.0, num_steps=100, rises=3)(50) == 3.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.linear(0.0, 1.0, steps=0),
            "`steps` must be at least 1; got",
        ),
        (
            lambda: schedules.hybrid(0.0, 1.0, increment=0.0, period=5, ramp=1),
            "`increment` must be positive and finite; got 0",
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


def test_exponential_schedule_has_a_constant_factor_between_its_ends():
    beta = schedules.exponential(0.1, 100.0, begin=10, end_step=40)
    values = [beta(step) for step in range(60)]
    assert values[:11] == [0.1] * 11
    assert values[40:] == pytest.approx([100.0] * 20)
    factors = [b / a for a, b in pairwise(values[10:41])]
    assert factors == pytest.approx([1000 ** (1 / 30)] * 30)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, -2.0)])
def test_exponential_schedule_needs_positive_ends(ends):
    with pytest.raises(ValueError, match=f"must be positive and finite; got {min(ends)}"):
        schedules.exponential(*ends, begin=0, end_step=1)


def test_exponential_schedule_must_end_after_it_begins():
    with pytest.raises(ValueError, match="`end_step` must be after `begin`; got 5 and 5"):
        schedules.exponential(0.1, 1.0, begin=5, end_step=5)


def test_pilot_is_low_and_then_rises():
    weighting = pilot.build(pilot.Config(), FACTS).weighting
    terms = {"reconstruction": torch.tensor(0.0), "kl": torch.tensor(1.0)}
    beta = [float(weighting(terms, step)) for step in range(FACTS.num_steps)]
    assert beta[:51] == pytest.approx([0.1] * 51)
    assert all(a < b for a, b in pairwise(beta[50:]))
    assert beta[-1] == pytest.approx(1000.0)


def test_pilots_bounds_must_be_in_order():
    with pytest.raises(ValueError, match=r"`beta_low` must be below `beta_high`, 1.0; got 2.0"):
        pilot.build(pilot.Config(beta_low=2.0, beta_high=1.0), FACTS)


def test_pilot_must_leave_time_for_the_rise():
    with pytest.raises(ValueError, match=r"`learning` must be in \[0, 1\); got 1.0"):
        pilot.Config(learning=1.0)


@pytest.mark.parametrize("period", [20_000 / 6, 100 / 3, 1e5 / 7, 2.5])
def test_every_cycle_begins_at_zero_where_its_length_is_no_whole_number(period):
    schedule = schedules.cyclical(1.0, period=period, rising=0.5)
    for cycle in range(1, 7):
        begin = math.ceil(round(cycle * period, 6))
        assert schedule(begin) <= 2 / period
        assert schedule(begin - 1) == 1.0 or period < 4
