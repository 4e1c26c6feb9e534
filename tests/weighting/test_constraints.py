"""Capacity, the multiplier of a reconstruction constraint, and cyclical schedules."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import CapacityKL, ReconstructionConstraint, effective_weights, schedules


def terms(reconstruction=100.0, kl=10.0):
    return {
        "reconstruction": torch.tensor(reconstruction, requires_grad=True),
        "kl": torch.tensor(kl, requires_grad=True),
    }


def test_capacity_pulls_the_kl_from_both_sides():
    weighting = CapacityKL(100.0, schedules.linear(0.0, 20.0, steps=100))
    for kl, weight in ((9.0, -100.0), (11.0, 100.0)):
        found = terms(kl=kl)
        loss = weighting(found, step=50)
        assert float(weighting.target) == 10.0
        assert float(loss.detach()) == pytest.approx(200.0)
        assert float(effective_weights(loss, found)["kl"]) == weight


def test_a_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="`gamma` must be at least 0; got -1"):
        CapacityKL(-1.0, schedules.constant(5.0))


def test_the_multiplier_holds_the_reconstruction_at_its_target():
    """On a network whose reconstruction falls by 10 nats for each e-fold of lambda, with a lag."""
    weighting = ReconstructionConstraint(50.0, rate=4e-4, max_change=0.004)
    level = 200.0
    for step in range(5000):
        weighting(terms(level), step)
        settled = 100.0 - 10.0 * float(weighting.log_lambda)
        level += 0.01 * (settled - level)
    assert level == pytest.approx(50.0, abs=0.5)
    assert float(weighting.log_lambda) == pytest.approx(5.0, abs=0.1)


@given(reconstruction=st.floats(0, 1e6), before=st.lists(st.floats(0, 1e6), max_size=5))
def test_more_reconstruction_never_lowers_the_multiplier(reconstruction, before):
    def after(last):
        weighting = ReconstructionConstraint(50.0)
        for i, value in enumerate([*before, last]):
            weighting(terms(value), i)
        return float(weighting.log_lambda)

    assert after(reconstruction + 1.0) >= after(reconstruction)


def test_the_multiplier_stays_within_its_bounds_and_changes_slowly():
    weighting = ReconstructionConstraint(50.0, beta_min=0.5, beta_max=2.0)
    last = 0.0
    for step in range(1000):
        weighting(terms(1e6), step)
        assert abs(float(weighting.log_lambda) - last) <= 0.001 + 1e-6
        last = float(weighting.log_lambda)
    assert last == pytest.approx(math.log(2))
    found = terms(100.0)
    weights = effective_weights(weighting(found, 500), found)
    assert float(weights["kl"]) == 1.0
    assert float(weights["reconstruction"]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 1.0}, r"`decay` must be in \[0, 1\); got 1.0"),
        ({"rate": 0.0}, "`rate` must be positive and finite; got 0.0"),
        ({"beta_min": 2.0, "beta_max": 1.0}, "`beta_min` must be below `beta_max`; got 2.0, 1.0"),
    ],
)
def test_settings_of_the_multiplier_that_break_a_rule_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionConstraint(50.0, **settings)


def test_cycles_begin_at_zero_rise_and_are_held():
    beta = schedules.cyclical(4.0, period=100.0, rising=0.25)
    assert [beta(step) for step in (0, 10, 25, 60, 99, 100, 110)] == pytest.approx(
        [0, 1.6, 4, 4, 4, 0, 1.6]
    )
    with pytest.raises(ValueError, match=r"`period` must be at least 1; got 0\.5"):
        schedules.cyclical(1.0, period=0.5, rising=0.5)
    with pytest.raises(ValueError, match=r"`rising` must be in \(0, 1\]; got 0"):
        schedules.cyclical(1.0, period=10.0, rising=0.0)
