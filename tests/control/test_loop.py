"""The linear loop against Jury's conditions and against our controllers on a simulated plant."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.control import (
    Loop,
    damping,
    gain_margin,
    is_stable,
    overshoot,
    poles,
    step_response,
    suggest_gains,
)
from autobeta.weighting import IncrementalPI, LogPI, PositionalPI

pytestmark = pytest.mark.usefixtures("unchecked")

positive = st.floats(0.01, 5.0)


@given(p=positive, q=positive)
def test_without_lag_the_region_is_that_of_jurys_test(p, q):
    loop = Loop(gain=1.0, lag=0.0, kp=p, ki=q)
    inside = p < 1 and q < 2 * (1 - p)
    edge = abs(p - 1) < 1e-6 or abs(q - 2 * (1 - p)) < 1e-6
    assert edge or is_stable(loop) == inside


def test_published_gains_have_the_limit_of_the_linear_analysis():
    """Kp 0.01, Ki 0.005: a |Ki| < 2 - a Kp / 2, so a = 200 nats per unit of beta."""
    loop = Loop(gain=1.0, lag=0.0, kp=0.01 / 4, ki=0.005)
    assert gain_margin(loop) == pytest.approx(200.0, rel=1e-6)


def test_a_ratio_of_gains_equal_to_the_lag_makes_the_loop_first_order():
    """Kp / ki = lag of the exact discretisation cancels the plant's pole."""
    lag, ki, gain = 50.0, 0.004, 7.0
    a = 1 - math.exp(-1 / lag)
    loop = Loop(gain=gain, lag=lag, kp=ki * (1 - a) / a, ki=ki)
    slowest = poles(loop)[0]
    assert slowest == pytest.approx(1 - gain * ki) or 1 - a == pytest.approx(slowest.real)
    assert {round(float(z.real), 9) for z in poles(loop)} == {
        round(1 - gain * ki, 9),
        round(1 - a, 9),
    }
    assert overshoot(loop) == 0


def test_dead_time_takes_margin_and_is_what_a_pure_delay_says():
    """A plant of gain 1 that only waits d + 1 steps: z^(d+1) (z - 1) + ki, edge at 2 sin(...)."""
    for dead in (0, 1, 3, 10):
        loop = Loop(gain=1.0, lag=0.0, kp=0.0, ki=0.01, dead=dead)
        edge = 2 * math.sin(math.pi / (2 * (2 * dead + 1)))
        assert gain_margin(loop) == pytest.approx(edge / 0.01, rel=1e-6)
    waits = step_response(Loop(gain=1.0, lag=0.0, kp=0.0, ki=0.01, dead=5), 20)
    assert (waits[:6] == 0).all()
    assert waits[6] == pytest.approx(0.01)


class Plant:
    """KL that follows the controlled variable with a gain and a lag."""

    def __init__(self, gain, lag, rest):
        self.gain, self.rest = gain, rest
        self.follow = 1 - math.exp(-1 / lag) if lag else 1.0
        self.y = rest

    def run(self, controller, variable, target, steps):
        """KL over the steps, and after each the answer to the new value of the variable."""
        start = float(variable(controller.beta))
        found = np.empty(steps)
        for k in range(steps):
            found[k] = self.y
            u = float(variable(controller.step(self.y, target))) - start
            self.y += self.follow * (self.rest - self.gain * u - self.y)
        return found


GRID = [
    (gain, lag, kp, ki)
    for gain in (3.0, 10.0)
    for lag in (0.0, 10.0, 100.0)
    for kp in (0.0, 0.01, 0.1)
    for ki in (0.0005, 0.004, 0.02)
]


def simulate(loop, steps, rise=0.05):
    """A step of the set point, with the real LogPI around an operating point."""
    controller = LogPI(
        kp=loop.kp, ki=-loop.ki, beta_initial=1.0, beta_min=1e-30, beta_max=1e30,
        window=loop.window,
    ).double()  # fmt: skip
    plant = Plant(loop.gain, loop.lag, rest=10.0)
    for _ in range(loop.window + 1):  # at rest, so that the average is full
        controller.step(10.0, 10.0)
    return (plant.run(controller, torch.log, 10.0 + rise, steps) - 10.0) / rise


@pytest.mark.parametrize("window", [1, 5])
@pytest.mark.parametrize(("gain", "lag", "kp", "ki"), GRID)
def test_prediction_and_simulation_agree_over_a_grid_of_gains(gain, lag, kp, ki, window):
    loop = Loop(gain=gain, lag=lag, kp=kp, ki=ki, window=window)
    steps = 600
    found = simulate(loop, steps)
    predicted = step_response(loop, steps)
    if is_stable(loop):
        assert np.allclose(found, predicted, atol=1e-3 + 1e-3 * np.abs(predicted).max())
        seen = max(0.0, found.max() - 1)
        assert seen == pytest.approx(overshoot(loop, steps), abs=5e-3)
    else:
        assert np.abs(found[-100:]).max() > np.abs(found[:100]).max()


@pytest.mark.parametrize("window", [1, 5, 20])
@pytest.mark.parametrize(("lag", "kp"), [(0.0, 0.02), (5.0, 0.05), (50.0, 0.2), (200.0, 0.0)])
def test_the_margin_divides_swings_that_die_from_swings_that_grow(lag, kp, window):
    loop = Loop(gain=5.0, lag=lag, kp=kp, ki=0.01, window=window)
    margin = gain_margin(loop)

    def growth(factor):
        scaled = Loop(gain=5.0 * factor, lag=lag, kp=kp, ki=0.01, window=window)
        steps = int(min(20_000, 100 + 20 / abs(math.log(abs(poles(scaled)[0])))))
        found = np.abs(step_response(scaled, steps) - 1)
        return found[-steps // 4 :].max() / found[steps // 4 : steps // 2].max()

    if math.isinf(margin):
        assert growth(1000.0) < 1
        return
    assert growth(0.9 * margin) < 1
    assert growth(1.1 * margin) > 1


@pytest.mark.parametrize("name", ["incremental", "positional"])
def test_the_authors_controllers_are_linear_near_their_target(name):
    """A fall of the set point, which raises beta from its floor."""
    kp, ki, gain, lag = 0.01, -0.005, 4.0, 20.0
    if name == "incremental":
        window, rest = 5, 50.0
        controller = IncrementalPI(kp=kp, ki=ki, beta_initial=rest, window=window).double()
        controller.recent.fill_(10.0)
    else:
        window, rest = 1, 1.0 + kp / 2  # its weight at an error of 0
        controller = PositionalPI(kp=kp, ki=ki).double()
        controller.beta.fill_(rest)
    plant = Plant(gain, lag, rest=10.0)
    found = (10.0 - plant.run(controller, lambda beta: beta, 9.8, 400)) / 0.2
    predicted = step_response(Loop(gain=gain, lag=lag, kp=kp / 4, ki=-ki, window=window), 400)
    assert np.abs(found - predicted).max() < 0.02


def test_a_loop_well_inside_the_region_may_ring():
    """Published gains where KL falls by 20 nats a unit of beta, with a lag of 100 steps."""
    loop = Loop(gain=20.0, lag=100.0, kp=0.01 / 4, ki=0.005, window=5)
    assert gain_margin(loop) > 5
    assert 0.4 < overshoot(loop) < 0.8
    assert damping(loop) < 0.3


@given(lag=st.floats(1.0, 300.0), ki=st.floats(1e-4, 1e-2))
def test_damping_and_overshoot_are_those_of_a_second_order_system(lag, ki):
    """Without a proportional part and with slow poles: exp(-pi zeta / sqrt(1 - zeta^2))."""
    loop = Loop(gain=7.0, lag=lag, kp=0.0, ki=ki)
    zeta = damping(loop)
    slow = np.abs(poles(loop)).min() > 0.9
    if slow and 0.1 < zeta < 0.9:
        known = math.exp(-math.pi * zeta / math.sqrt(1 - zeta**2))
        assert overshoot(loop) == pytest.approx(known, abs=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 0.0}, "`gain` must be positive and finite; got 0.0"),
        ({"ki": -0.1}, "`ki` must be positive and finite; got -0.1"),
        ({"lag": -1.0}, "`lag` must be at least 0; got -1.0"),
    ],
)
def test_what_breaks_a_rule_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Loop(**({"gain": 1.0, "lag": 1.0, "kp": 0.1, "ki": 0.1} | settings))


@given(lag=st.floats(2.0, 300.0), gain=st.floats(0.5, 50.0), share=st.floats(0.5, 5.0))
def test_suggested_gains_make_a_loop_of_first_order(lag, gain, share):
    kp, ki = suggest_gains(gain, lag, settling=share * lag)
    loop = Loop(gain=gain, lag=lag, kp=kp, ki=ki)
    assert overshoot(loop, 2000) < 1e-9
    steps = np.arange(200)
    assert np.allclose(step_response(loop, 200), 1 - (1 - 1 / (share * lag)) ** steps)


def test_gains_of_nothing_are_refused():
    with pytest.raises(ValueError, match="`gain` must be positive and finite; got 0"):
        suggest_gains(0.0, 1.0, settling=1.0)


@pytest.mark.parametrize(
    ("controller", "expected"),
    [
        (IncrementalPI(kp=0.01, ki=-0.005, window=7), (0.0025, 0.005, 7, False)),
        (PositionalPI(kp=0.01, ki=-0.001), (0.0025, 0.001, 1, False)),
        (LogPI(kp=0.2, ki=-0.004, window=5), (0.2, 0.004, 5, True)),
    ],
)
def test_controllers_tell_their_gains_near_the_target(controller, expected):
    assert controller.near_target() == expected
