"""Identification on simulated runs of the real controller, with the noise of batches."""

import math

import numpy as np
import pytest

from autobeta.control import identify
from autobeta.weighting import LogPI, schedules


def simulated(gain, lag, *, every=10, noise=0.3, steps=6000, rises=10, seed=0, hold=0):
    """Log of a run whose network drifts while its KL follows log beta."""
    rng = np.random.default_rng(seed)
    controller = LogPI(beta_min=1e-6, beta_max=1e6).double()
    target = schedules.fitted_hybrid(0.5, 20.0, num_steps=steps, rises=rises, rising=0.9)
    follow, level, log, total = 1 - math.exp(-1 / lag), 0.5, [], 0.0
    for step in range(steps):
        kl = level + noise * rng.standard_normal()
        beta = float(controller.step(kl, target(step)))
        level += follow * (25 + 3e-4 * step - gain * math.log(beta) - level)
        total += kl
        if (step + 1) % every == 0:
            row = {"step": step + 1, "kl_average": total / every, "beta": beta}
            log.append({**row, "target": target(step)})
            total = 0.0
    return log


@pytest.mark.parametrize(("gain", "lag"), [(7.0, 40.0), (3.0, 15.0), (10.0, 100.0)])
def test_gain_and_lag_are_found(gain, lag):
    found = [identify(simulated(gain, lag, seed=seed)) for seed in range(3)]
    assert np.median([plant.gain for plant in found]) == pytest.approx(gain, rel=0.1)
    assert np.median([plant.lag for plant in found]) == pytest.approx(lag, rel=0.3)
    assert min(plant.explained for plant in found) > 0.6
    assert {plant.num_rises for plant in found} <= {9, 10}


def test_without_noise_they_are_found_closely():
    found = identify(simulated(7.0, 40.0, noise=0.0))
    assert found.gain == pytest.approx(7.0, rel=0.03)
    assert found.lag == pytest.approx(40.0, rel=0.1)
    assert found.explained > 0.98


def test_a_set_point_without_rests_tells_nothing():
    with pytest.raises(ValueError, match=r"rests for 8 lines after each rise; got 0 such rises"):
        identify(simulated(7.0, 40.0, rises=300, steps=3000))
    log = [{**row, "target": None} for row in simulated(7.0, 40.0, steps=500)]
    with pytest.raises(ValueError, match="got 0 such rises"):
        identify(log)


def test_a_network_that_answers_the_wrong_way_is_refused():
    log = simulated(7.0, 40.0)
    turned = [{**row, "beta": 1 / row["beta"]} for row in log]
    with pytest.raises(ValueError, match="must show KL fall as beta grows; got a gain of -"):
        identify(turned)
