"""Identification on simulated runs of the real controller, with the noise of batches."""

import math

import numpy as np
import pytest
import torch

from autobeta import registry
from autobeta.control import analyse, identify, tracking
from autobeta.methods import Facts
from autobeta.models import Bernoulli
from autobeta.weighting import LogPI, schedules

pytestmark = pytest.mark.usefixtures("unchecked")


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


LONG = [pytest.param(*loop, marks=pytest.mark.slow) for loop in ((7.0, 40.0), (10.0, 100.0))]


@pytest.mark.whole
@pytest.mark.parametrize(("gain", "lag"), [(3.0, 15.0), *LONG])
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


def test_a_set_point_that_is_not_held_shows_no_plant():
    with pytest.raises(ValueError, match=r"is held for 8 lines after each rise; got 0 such rises"):
        identify(simulated(7.0, 40.0, rises=300, steps=3000))
    log = [{**row, "target": None} for row in simulated(7.0, 40.0, steps=500)]
    with pytest.raises(ValueError, match="got 0 such rises"):
        identify(log)


def run_of(method, num_steps=6000, every=10, **settings):
    """Log of a method's own controller and schedule on a simulated network."""
    module = registry.load("methods", method)
    facts = Facts(
        num_latents=10,
        num_train=100,
        image_shape=(64, 64, 1),
        num_steps=num_steps,
        likelihood=Bernoulli(),
    )
    weighting = module.build(module.Config(**settings), facts).weighting
    rng, level, total, log = np.random.default_rng(0), 0.5, 0.0, []
    for step in range(num_steps):
        kl = level + 0.1 * rng.standard_normal()
        weighting({"reconstruction": torch.tensor(50.0), "kl": torch.tensor(kl)}, step)
        beta, total = weighting.controller.beta.item(), total + kl
        level += 0.05 * (25 - 7 * math.log(beta) - level)
        if (step + 1) % every == 0:
            row = {"step": step + 1, "kl_average": total / every, "beta": beta}
            log.append({**row, "target": weighting.controller.target.item()})
            total = 0.0
    return log, weighting.controller.near_target()


@pytest.mark.whole
@pytest.mark.parametrize(
    ("method", "controller", "advised"),
    [
        ("dynamicvae", "log", {"increment": 1.5, "beta_hold": 0.0}),
        pytest.param("controlvae", "positional", {"increment": 1.5}, marks=pytest.mark.slow),
    ],
)
def test_run_with_gains_of_its_own_gets_a_sentence_and_its_advice_works(
    method, controller, advised
):
    log, gains = run_of(method, every=50, controller=controller)
    said = analyse(log, **gains._asdict())
    assert "is held for 8 lines after each rise" in said
    assert f"--method.increment {advised['increment']} --log-every 10" in said
    assert ("--method.beta-hold 0" in said) or method != "dynamicvae"
    assert tracking(log).near >= 0  # which needs no plant
    log, gains = run_of(method, every=10, controller=controller, **advised)
    found = analyse(log, **gains._asdict())
    assert not isinstance(found, str)
    assert found.plant.num_rises >= 3
    assert found.ki < 0 < found.kp


def test_controller_without_an_integral_gets_a_sentence():
    gains = LogPI(ki=0.0).near_target()._asdict()
    assert "has no integral gain" in analyse(simulated(7.0, 40.0, steps=100), **gains)


def test_a_network_that_answers_the_wrong_way_is_refused():
    log = simulated(7.0, 40.0)
    turned = [{**row, "beta": 1 / row["beta"]} for row in log]
    with pytest.raises(ValueError, match="must show KL fall as beta grows; got a gain of -"):
        identify(turned)


def test_what_a_controller_found_is_read_from_the_last_quarter_of_its_log():
    def row(step, gain):
        names = {"plant_gain": gain, "plant_gain_error": 0.5, "plant_lag": 8.0}
        names |= {"plant_lag_error": 2.0, "proportional": 0.1, "integral": 0.0125}
        state = {f"weighting.controller.{name}": value for name, value in names.items()}
        return {"step": step, "beta": 1.0, "state": state}

    log = [row(step, 1.0 if step < 75 else 5.0) for step in range(100)]
    found = analyse(log, kp=0.0, ki=0.0, window=5, logarithmic=True)
    assert found.plant[:4] == (5.0, 8.0, 0.5, 2.0)
    assert (found.plant.explained, found.plant.num_rises) == (None, 0)
    assert 3 < found.margin < 5  # lambda tuning for b = 5, with three of the eight steps dead
    bare = [{"step": step, "beta": 1.0} for step in range(100)]
    with_none = analyse(bare, kp=0.0, ki=0.0, window=5, logarithmic=True)
    assert "has no integral gain" in with_none


@pytest.mark.whole
def test_errors_of_gain_and_lag_cover_what_was_simulated():
    found = [identify(simulated(3.0, 15.0, seed=seed)) for seed in range(3)]
    assert all(abs(plant.gain - 3.0) < 4 * plant.gain_error for plant in found)
    assert all(0 < plant.gain_error < 1 for plant in found)
    assert all(plant.lag_error < 15 for plant in found)
