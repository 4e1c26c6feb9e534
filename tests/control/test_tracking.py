"""Diagnostics of controlled runs on logs with known faults."""

import numpy as np
import pytest

from autobeta.control import advice, tracking

EVERY = 20


def log(kl, target, beta=2.0):
    kl = np.asarray(kl, float)
    target, beta = (np.broadcast_to(np.asarray(v, float), kl.shape) for v in (target, beta))
    return [
        {"step": EVERY * (i + 1), "kl_average": k, "target": t, "beta": b}
        for i, (k, t, b) in enumerate(zip(kl, target, beta, strict=True))
    ]


NOISE = 0.1 * np.random.default_rng(0).standard_normal(400)


def test_a_run_that_tracks_needs_no_advice():
    found = tracking(log(20 + NOISE, 20.0), beta_min=0.1)
    assert found.near == 1.0
    assert found.error == pytest.approx(0.1, rel=0.1)
    assert found.period is None
    assert found.at_bound == 0
    assert advice(found, beta_min=0.1) == []


def test_single_batches_are_no_other_run_than_their_means():
    """KL of single batches has noise that swings nothing; 20-step means are what is judged."""
    noise = 1.5 * np.random.default_rng(1).standard_normal(8000)
    every = [{**line, "step": i + 1} for i, line in enumerate(log(20 + noise, 20.0))]
    means = log((20 + noise).reshape(-1, EVERY).mean(axis=1), 20.0)
    fine, coarse = tracking(every), tracking(means)
    assert fine.near == pytest.approx(coarse.near, abs=0.01)
    assert fine.near > 0.8 > np.mean(np.abs(noise) < 0.5)
    assert fine.error == pytest.approx(coarse.error, rel=0.02)
    assert fine.period is None


def test_runs_without_a_set_point_or_with_few_lines_have_none():
    lines = log(20 + NOISE, 20.0)
    assert tracking(lines[:3]) is None
    assert tracking([{**line, "target": None} for line in lines]) is None


def test_the_first_tenth_is_left_out():
    kl = 20 + NOISE
    kl[:39] = 0.0
    assert tracking(log(kl, 20.0)).near == 1.0


def test_a_lag_is_told_and_a_slower_rise_proposed():
    target = np.linspace(0.5, 20, 400)
    found = tracking(log(target - 1.2 + NOISE, target))
    assert found.near < 0.1
    assert found.lack == pytest.approx(1.4, abs=0.2)
    assert found.excess == 0
    assert "KL lags by up to 1." in advice(found, beta_min=0.1)[0]


def test_running_ahead_is_told():
    found = tracking(log(11 + NOISE, 10.0))
    assert found.overshoot == pytest.approx(0.12, abs=0.02)
    assert "KL runs ahead" in advice(found, beta_min=0.1)[0]


@pytest.mark.parametrize("period", [6, 12, 20])
def test_swings_are_found_with_their_period(period):
    kl = 20 + np.sin(2 * np.pi * np.arange(400) / period) + NOISE
    found = tracking(log(kl, 20.0))
    assert found.period == pytest.approx(period * EVERY, abs=EVERY)
    assert found.swing == pytest.approx(np.sqrt(0.5), rel=0.2)
    assert f"period of about {found.period:.0f} steps" in advice(found, beta_min=0.1)[0]


def test_a_rise_seen_in_a_few_lines_is_no_swing():
    lines = [
        {"step": 50 * (i + 1), "kl_average": kl, "target": target, "beta": 1.5}
        for i, (kl, target) in enumerate(
            [(1.1, 4.0), (0.0, 7.5), (1.8, 11.4), (7.1, 14.9), (11.7, 18.0), (13.9, 18.0)]
        )
    ]
    found = tracking(lines)
    assert found.period is None
    assert "KL lags by up to 7.65" in advice(found)[0]


def test_noise_is_no_swing():
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal(400)
        assert tracking(log(20 + noise, 20.0)).period is None


def test_time_at_a_bound_is_counted():
    beta = np.full(400, 2.0)
    beta[300:] = 0.1
    found = tracking(log(20 + NOISE, 20.0, beta), beta_min=0.1)
    assert found.at_bound == pytest.approx(100 / 360, abs=0.01)
    assert "at its lower bound, 0.1, in 28% of the run" in advice(found, beta_min=0.1)[0]


def test_advice_at_the_upper_bound_is_the_other_way_round():
    beta = np.full(400, 2.0)
    beta[200:] = 1000.0
    found = tracking(log(22 + NOISE, 20.0, beta), beta_min=0.1, beta_max=1000.0)
    assert found.at_bound == found.at_max > 0.5
    said = advice(found, beta_min=0.1, beta_max=1000.0)
    assert "at its upper bound, 1000, in 56% of the run" in said[0]
    assert "Raise the set point" in said[0]
    assert not any("beta_min" in sentence for sentence in said)


@pytest.mark.parametrize(("kl", "beta"), [(18.0, 0.1), (22.0, 1000.0)])
def test_a_bound_that_explains_the_error_is_all_that_is_said(kl, beta):
    found = tracking(log(kl + NOISE, 20.0, np.full(400, beta)), beta_min=0.1, beta_max=1000.0)
    [said] = advice(found, beta_min=0.1, beta_max=1000.0)
    assert "bound" in said


def test_a_capacity_has_no_bounds():
    beta = np.where(np.arange(400) % 2, 1000.0, -1000.0)
    found = tracking(log(20 + NOISE, 20.0, beta))
    assert found.at_bound == 0
    assert advice(found, beta_min=-np.inf) == []


def test_a_set_point_that_rises_between_two_lines_is_no_lag():
    """KL is on its set point at every step, and the log has means over 50."""
    lines = [
        {"step": step, "kl_average": 0.02 * (step - 24.5), "target": 0.02 * step, "beta": 1.0}
        for step in range(50, 1001, 50)
    ]
    found = tracking(lines)
    assert found.near == 1.0
    assert found.error < 0.02
    late = [{**line, "kl_average": line["kl_average"] - 1} for line in lines]
    assert tracking(late).error == pytest.approx(1.0, abs=0.02)
