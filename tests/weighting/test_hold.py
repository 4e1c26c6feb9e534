import itertools
import math

import numpy as np
import pytest
import torch

from autobeta import registry
from autobeta.methods import Facts, dynamicvae
from autobeta.weighting import ControlledKL, LogPI, SelfTuningPI, schedules


def terms(kl):
    return {"reconstruction": torch.tensor(50.0), "kl": torch.tensor(float(kl))}


def test_set_point_rests_while_beta_is_below_the_hold():
    weighting = ControlledKL(
        LogPI(beta_initial=1.0), schedules.linear(1.0, 11.0, steps=100), hold=0.5, catch_up=0.1
    )
    targets, betas = [], []
    for step in range(300):
        short = 0.85 * weighting.controller.target.item() if step else 0.85
        kl = short if step < 200 else 30.0  # KL that stays behind, then far too much
        betas.append(weighting.controller.beta.item())
        weighting(terms(kl), step)
        targets.append(weighting.controller.target.item())
    rises = [b - a for a, b in zip([1.0, *targets], targets, strict=False)]
    assert any(r > 0 for r in rises)
    assert any(beta < 0.5 for beta in betas[:99])
    assert all(r == 0 for r, beta in zip(rises, betas, strict=True) if beta < 0.5)
    assert targets[99] < 11.0  # the schedule is at its end, the set point behind
    assert targets[-1] == 11.0  # and has caught up
    assert max(rises) < 0.1 + 1e-6


def test_set_point_rests_while_kl_is_below_four_fifths_of_it():
    weighting = ControlledKL(
        LogPI(), schedules.linear(1.0, 11.0, steps=100), hold=1e-6, catch_up=0.2
    )
    targets = []
    for step in range(260):
        kl = 0.0 if step < 50 else 12.0
        weighting(terms(kl), step)
        targets.append(weighting.controller.target.item())
    assert set(targets[:50]) == {1.0}
    assert targets[60] - targets[59] == pytest.approx(0.2, abs=1e-6)
    assert targets[-1] == 11.0
    eager = ControlledKL(LogPI(), schedules.linear(1.0, 11.0, steps=100))
    for step in range(50):
        eager(terms(0.0), step)
    assert eager.controller.target.item() == pytest.approx(5.9)


def waiting(catch_up=0.2, **given):
    schedule = schedules.linear(10.0, 20.0, steps=100)
    return ControlledKL(LogPI(), schedule, hold=1e-6, catch_up=catch_up, **given)


def run(weighting, short, steps):
    """The set points while KL is so many nats below them."""
    targets = []
    for step in steps:
        at = weighting.controller.target.item() if step else 10.0
        weighting(terms(at - short), step)
        targets.append(weighting.controller.target.item())
    return targets


def test_set_point_waits_while_the_average_of_kl_is_behind():
    planned = pytest.approx([10 + 0.1 * step for step in range(60)])
    assert run(waiting(behind=0.3), 0.1, range(60)) == planned
    assert run(waiting(), 0.5, range(60)) == planned  # no more than a fifth is asked for
    weighting = waiting(behind=0.3)
    targets = run(weighting, 0.5, range(60))
    assert targets[:6] == pytest.approx([10 + 0.1 * step for step in range(6)])
    assert set(targets[9:]) == {targets[9]}
    assert max(targets) < 11
    rest = run(weighting, -0.5, range(60, 160))
    rises = [b - a for a, b in itertools.pairwise(rest)]
    assert max(rises) == pytest.approx(0.2, abs=1e-5)
    assert rest[-1] == 20.0


def test_a_set_point_that_waited_goes_to_the_nats_that_are_there():
    weighting = waiting(behind=0.3, catch_up=0.02)
    run(weighting, 0.5, range(60))
    behind = weighting.controller.target.item()
    targets = []
    for step in range(60, 90):
        weighting(terms(15.0), step)
        targets.append(weighting.controller.target.item())
    rises = [b - a for a, b in itertools.pairwise([behind, *targets])]
    assert max(rises) > 0.2  # ten times the limit
    assert all(target < 10.01 + 0.1 * step for step, target in enumerate(targets, 60))
    assert targets[-1] == pytest.approx(15.0, abs=0.5)


@pytest.mark.parametrize("kl", [0.0, math.nan])
def test_one_bad_batch_holds_the_set_point_for_some_steps_only(kl):
    weighting = waiting(behind=0.3)
    run(weighting, 0.0, range(30))
    weighting(terms(kl), 30)
    assert run(weighting, 0.0, range(31, 80))[-1] == pytest.approx(17.9)


def test_how_far_kl_is_behind_is_state_and_a_state_of_before_has_none():
    whole = waiting(behind=0.3)
    run(whole, 0.5, range(30))
    state = whole.state_dict()
    assert float(state["shortfall"]) > 0.4
    whole.eval()
    whole(terms(0.0), 30)
    assert whole.shortfall == state["shortfall"]
    del state["shortfall"]
    again = waiting(behind=0.3)
    again.load_state_dict(state)
    assert again.shortfall == 0


def test_how_far_kl_may_be_behind_is_no_negative_number():
    with pytest.raises(ValueError, match=r"`behind` must be at least 0; got -1"):
        waiting(behind=-1.0)


def test_set_point_waits_for_a_network_that_has_settled():
    schedule = schedules.linear(1.0, 11.0, steps=100)
    weighting = ControlledKL(LogPI(), schedule, hold=1e-6, catch_up=0.2, settle=30)
    targets = []
    for step in range(60):
        weighting(terms(12.0), step)  # enough for any set point
        targets.append(weighting.controller.target.item())
    assert set(targets[:30]) == {1.0}
    assert targets[30] == pytest.approx(1.2)


def test_after_a_hold_the_set_point_rises_at_its_limit_until_it_is_the_schedule_again():
    schedule = schedules.hybrid(1.0, 4.0, increment=1.0, period=30, ramp=5)
    weighting = ControlledKL(LogPI(beta_initial=1.0), schedule, hold=0.5, catch_up=0.05)
    controller, held = weighting.controller, range(40, 70)
    targets = []
    for step in range(160):
        controller.beta.fill_(0.4 if step in held else 0.6)
        weighting(terms(schedule(step)), step)
        targets.append(controller.target.item())
    planned = [torch.tensor(schedule(step)).item() for step in range(160)]
    assert targets[:40] == planned[:40]  # jumps of 0.2 nats, four times the limit
    assert set(targets[40:70]) == {targets[39]}
    rises = [b - a for a, b in itertools.pairwise(targets[69:])]
    reached = next(i for i in range(70, 160) if targets[i] == planned[i])
    assert 100 < reached < 135
    assert max(rises[: reached - 70]) < 0.05 + 1e-6
    assert targets[reached:] == planned[reached:]


def test_without_a_hold_the_schedule_is_followed_to_the_letter():
    schedule = schedules.linear(1.0, 11.0, steps=100)
    weighting = ControlledKL(LogPI(beta_initial=0.2), schedule)
    for step in range(120):
        weighting(terms(0.5), step)
        assert weighting.controller.target.item() == torch.tensor(schedule(step)).item()


@pytest.mark.whole
@pytest.mark.parametrize(
    ("steps", "period", "rises", "ramp"),
    [(5000, 12, 125, 2), pytest.param(20_000, 46, 130, 7, marks=pytest.mark.slow)],
)
def test_a_default_run_has_the_schedule_step_by_step_once_its_network_has_settled(
    steps, period, rises, ramp
):
    """130 rises of 19.5 nats in 0.3 of the run, each in a sixth of its period; KL answers beta."""
    likelihood = registry.load("models/likelihoods", "bernoulli").build()
    facts = Facts(
        num_latents=10,
        num_train=100,
        image_shape=(64, 64, 1),
        num_steps=steps,
        likelihood=likelihood,
    )
    weighting = dynamicvae.build(dynamicvae.Config(), facts).weighting
    planned = schedules.hybrid(0.5, 20.0, increment=19.5 / rises, period=period, ramp=ramp)
    kl = 0.0
    for step in range(steps):
        weighting(terms(kl), step)
        kl += (max(0.0, 16 - 5 * math.log(weighting.controller.beta.item())) - kl) / 5
        found, wanted = weighting.controller.target.item(), torch.tensor(planned(step)).item()
        assert found <= wanted
        if step > 200:  # the first 100 are held, and made good at twice the slope
            assert found == wanted, step


def test_held_set_point_resumes_from_its_state():
    def make():
        return ControlledKL(LogPI(), schedules.linear(0.5, 20.0, steps=50), hold=0.5, catch_up=0.2)

    whole, first, second = make(), make(), make()
    losses = [whole(terms(3.0 + 0.1 * step), step).item() for step in range(40)]
    for step in range(20):
        first(terms(3.0 + 0.1 * step), step)
    second.load_state_dict(first.state_dict())
    rest = [second(terms(3.0 + 0.1 * step), step).item() for step in range(20, 40)]
    assert rest == losses[20:]


@pytest.mark.parametrize("given", [{"beta_hold": 50.0}, {"beta_initial": 0.2}])
def test_a_hold_at_or_above_the_first_beta_is_refused_since_it_would_hold_for_ever(given):
    likelihood = registry.load("models/likelihoods", "bernoulli").build()
    facts = Facts(
        num_latents=3, num_train=12, image_shape=(8, 8, 1), num_steps=100, likelihood=likelihood
    )
    with pytest.raises(ValueError, match=r"`beta_hold` must be below `beta_initial`.* Lower it"):
        dynamicvae.build(dynamicvae.Config(**given), facts)
    dynamicvae.build(dynamicvae.Config(**given, schedule="constant"), facts)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("number", [np.int64, np.float32, torch.tensor])
def test_a_step_may_be_a_number_of_numpy_or_a_tensor(number):
    ours, plain = (waiting(behind=0.3) for _ in range(2))
    for step in range(30):
        assert ours(terms(0.5), number(step)) == plain(terms(0.5), step)


def test_a_number_is_no_schedule():
    """The tests' type checker says so first; without it the message names schedules.constant."""
    with pytest.raises(TypeError, match="target"):
        ControlledKL(LogPI(), 5.0)


def test_a_state_without_a_shortfall_begins_with_none():
    weighting = ControlledKL(SelfTuningPI(), schedules.constant(20.0), hold=0.5)
    former = {k: v.clone() for k, v in weighting.state_dict().items() if k != "shortfall"}
    for step in range(20):
        weighting({"reconstruction": torch.tensor(9.0), "kl": torch.tensor(1.0)}, step)
    assert weighting.shortfall > 1
    weighting.load_state_dict(former)
    assert weighting.shortfall == 0
