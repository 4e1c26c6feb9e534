"""Suggestions from pilots on a rate-distortion curve that is known."""

import math

import numpy as np
import pytest

from autobeta.control import suggest

B, ONE = 6.0, 20.0  # nats of KL for each e-fold of beta, KL at beta 1
STEPS, EVERY = 2000, 2
LOW = 80.0  # reconstruction with very many nats
TAU = 120.0  # steps in which the network learns


def kl_of(u):
    return B * np.logaddexp(0, ONE / B - np.asarray(u))  # bends to 0 where beta is large


def pilot(*, noise=1.0, high=1000.0, one=0.0, seed=0, steps=STEPS, tau=TAU):
    """Log of a pilot: R is the integral of beta over -KL, as on the optimum of R + beta KL."""
    rng = np.random.default_rng(seed)
    fine = np.linspace(math.log(0.1), math.log(high), 4000)
    costs = np.exp(fine) * -np.gradient(kl_of(fine - one), fine)
    r_of = LOW + np.concatenate([[0], np.cumsum((costs[1:] + costs[:-1]) / 2 * np.diff(fine))])
    rows = []
    for step in range(EVERY, steps + 1, EVERY):
        passed = max(0.0, step / steps - 0.5) * 2
        u = math.log(0.1) + passed * math.log(high / 0.1)
        learning = 500 * math.exp(-step / tau)
        rows.append(
            {
                "step": step,
                "beta": math.exp(u),
                "kl_average": float(kl_of(u - one) + 0.1 * rng.standard_normal()),
                "terms": {
                    "reconstruction": float(
                        np.interp(u, fine, r_of) + learning + noise * rng.standard_normal()
                    )
                },
            }
        )
    return rows


def test_set_point_is_the_kl_whose_slope_is_one():
    found = suggest(pilot())
    assert found.target == pytest.approx(float(kl_of(0.0)), abs=0.3)
    assert found.slope == pytest.approx(1.0, abs=5 * found.error)
    assert 0 < found.error < 0.2


def test_smaller_set_points_are_those_of_larger_slopes():
    found = suggest(pilot())
    assert [p.beta for p in found.choices] == [1.0, 2.0, 4.0, 8.0]
    for point in found.choices:
        assert point.kl == pytest.approx(float(kl_of(math.log(point.beta))), abs=0.3)
        assert point.slope == pytest.approx(point.beta, rel=0.15, abs=5 * point.error)


def test_bounds_of_beta_are_where_the_curve_has_their_kl():
    found = suggest(pilot())
    start, hold = math.log(found.beta_initial), math.log(found.beta_hold)
    assert found.target_start == pytest.approx(0.05 * found.target, abs=0.01)
    assert kl_of(start) == pytest.approx(found.target_start, rel=0.15)
    assert kl_of(hold) == pytest.approx(1.4 * found.target, rel=0.05)
    assert found.beta_min == pytest.approx(0.4 * found.beta_hold, rel=0.05)


def test_schedule_is_fifteen_times_as_long_as_learning_took():
    found = suggest(pilot(noise=0.1))
    far = pilot(noise=0.1)[-1]["terms"]["reconstruction"] - LOW
    learned = TAU * math.log(500 / (0.1 * far))  # R is nine tenths of the way down
    assert found.learned == pytest.approx(learned, rel=0.1)
    assert found.rise == 15 * found.learned
    assert found.rising(2 * found.rise) == found.rising(100) == 0.3
    assert found.rising(10 * found.rise) == pytest.approx(0.1)


def test_settings_are_those_of_the_methods():
    from autobeta import registry

    found = suggest(pilot())
    settings = found.settings(10_000)
    assert settings.keys() == {"dynamicvae", "controlvae", "annealedvae"}
    for method, values in settings.items():
        module = registry.load("methods", method)
        assert module.Config(**values)


def test_noise_that_hides_the_slope_shows_in_its_standard_error():
    found = suggest(pilot(noise=30.0))
    assert found.error > 1.0
    assert found.target == pytest.approx(float(kl_of(0.0)), abs=0.3)  # KL has no such noise


def test_a_pilot_with_more_nats_gets_a_higher_set_point():
    assert suggest(pilot(one=1.0)).target == pytest.approx(suggest(pilot()).target + B, abs=0.6)


def test_log_without_a_curve_is_refused():
    rows = pilot()
    with pytest.raises(ValueError, match=r"must be that of a pilot .* got 0 points"):
        suggest(rows[:400])  # beta has not begun to rise
    with pytest.raises(ValueError, match=r"got .* beta 0\.19 to .* Train the pilot several"):
        suggest(rows[:750])  # KL is far from 0
    with pytest.raises(ValueError, match="got 0 points"):
        suggest(rows[::100])


def test_pilot_that_was_still_learning_shows_no_curve_and_the_advice_works():
    with pytest.raises(ValueError, match=r"reconstruction does not fall as beta rises .*--steps"):
        suggest(pilot(tau=600.0))
    with pytest.raises(ValueError, match=r"reconstruction does rise as beta rises .*--steps"):
        suggest(pilot(noise=3000.0))
    longer = suggest(pilot(tau=600.0, steps=4 * STEPS))
    assert longer.target == pytest.approx(float(kl_of(0.0)), abs=0.3)
    assert longer.caution == ""


def test_slope_that_was_not_measured_is_said_and_the_advice_works():
    assert suggest(pilot()).caution == ""
    noisy = suggest(pilot(noise=15.0, seed=1)).caution
    assert "can't be distinguished from 0" in noisy
    assert "(--batch-size)" in noisy
    assert suggest(pilot(noise=3.75, seed=1)).caution == ""  # batches of 16 times the size
    assert suggest(pilot(noise=15.0, seed=1, steps=16 * STEPS)).caution == ""
    assert "far from 1" in suggest(pilot(tau=320.0)).caution
    assert suggest(pilot(tau=320.0, steps=4 * STEPS)).caution == ""


def test_network_that_learned_nothing_is_refused():
    with pytest.raises(ValueError, match="uses some nats at beta 1; got 0"):
        suggest(pilot(one=-6.0))
