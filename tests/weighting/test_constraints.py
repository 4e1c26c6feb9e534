"""Capacity, the multiplier of a reconstruction constraint, and cyclical schedules."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import (
    CapacityKL,
    ReconstructionConstraint,
    RelativeConstraint,
    SquaredCapacityKL,
    effective_weights,
    schedules,
)


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


def test_the_squared_pull_grows_with_the_distance_from_the_capacity():
    weighting = SquaredCapacityKL(3.0, schedules.linear(0.0, 20.0, steps=100))
    for kl, weight in ((8.0, -6.0), (10.0, 0.0), (10.5, 1.5)):
        found = terms(kl=kl)
        loss = weighting(found, step=50)
        assert float(weighting.target) == 10.0
        assert float(loss.detach()) == pytest.approx(100.0 + 1.5 * (kl - 10.0) ** 2)
        assert float(effective_weights(loss, found)["kl"]) == weight
    with pytest.raises(ValueError, match="`stiffness` must be positive and finite; got 0"):
        SquaredCapacityKL(0.0, schedules.constant(5.0))


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


def linear_gaussian(weighting, *, scale=1.0, shift=0.0, steps=4000, lag=40.0):
    """R of a network with six latents whose beta is 1 / lambda, in nats times `scale`, with a lag.

    At its optimum R is 20 + 3 beta and KL 18 - 3 log beta (reverse water filling), beta in nats.
    """
    level, kl = 80.0, 5.0
    for step in range(steps):
        weighting(terms(scale * level + shift, kl), step)
        beta = math.exp(-float(weighting.log_lambda)) / scale
        level += (20.0 + 3.0 * beta - level) / lag
        kl += (18.0 - 3.0 * math.log(beta) - kl) / lag
    return level


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.1, 0.0), (5.0, -9000.0)])
@pytest.mark.parametrize("steps", [1000, 4000])
def test_a_given_target_is_reached_whatever_the_unit_and_the_zero_of_the_nats(scale, shift, steps):
    fitted = {"rate": min(200 / steps, 0.05), "max_change": 20 / steps, "decay": 0.9}
    weighting = RelativeConstraint(scale * 32.0 + shift, **fitted)
    assert linear_gaussian(weighting, scale=scale, shift=shift, steps=steps) == pytest.approx(
        32.0, rel=0.02
    )


def test_a_target_is_measured_in_the_warm_up_and_stays():
    weighting = RelativeConstraint(None, warmup=3, decay=0.5)
    for step, nats in enumerate((90.0, 70.0, 60.0, 10.0, 10.0)):
        found = terms(nats)
        loss = weighting(found, step)
        if step < 3:  # lambda is 1 until then
            assert float(effective_weights(loss, found)["reconstruction"]) == 1.0
    assert float(weighting.reconstruction_target) == 70.0  # (90 + 70) / 2 = 80, (80 + 60) / 2
    assert float(weighting.log_lambda) < 0  # better than the target: beta rises
    late = RelativeConstraint(None, warmup=3)
    late(terms(40.0), 10)  # begun after its warm-up
    assert float(late.reconstruction_target) == 40.0


def test_a_batch_that_is_not_finite_does_not_move_the_relative_multiplier():
    weighting = RelativeConstraint(50.0)
    weighting(terms(80.0), 0)
    before = {name: tensor.clone() for name, tensor in weighting.state_dict().items()}
    weighting(terms(math.nan), 1)
    weighting(terms(80.0, kl=math.inf), 2)
    assert all(torch.equal(before[k], v) for k, v in weighting.state_dict().items())


def test_the_relative_multiplier_stays_within_its_bounds():
    weighting = RelativeConstraint(50.0, max_change=0.5, beta_min=0.5, beta_max=2.0, rate=1.0)
    for step in range(10):
        weighting(terms(1e6), step)
    assert float(weighting.log_lambda) == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match=r"`beta_min` must be below `beta_max`; got 2\.0, 1\.0"):
        RelativeConstraint(50.0, beta_min=2.0, beta_max=1.0)
    with pytest.raises(ValueError, match="`warmup` must be at least 0; got -1"):
        RelativeConstraint(None, warmup=-1)
