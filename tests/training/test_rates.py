"""Learning-rate schedules and clipping: whom they concern, and that nothing waits for them."""

import math

import pytest
import torch

from autobeta import TrainConfig
from autobeta.training import fit
from autobeta.training.loop import _update, make_forward
from autobeta.training.rates import lr_factor, prepare_update

pytestmark = pytest.mark.filterwarnings("ignore:.* in a run of [0-9]+ steps")


def factors(**settings):
    config = TrainConfig(steps=8, lr_final=0.04, **settings)
    return [lr_factor(config, step) for step in range(8)]


def test_schedules_are_their_formulas():
    assert factors() == [1.0] * 8
    linear = [1 - 0.96 * step / 8 for step in range(8)]
    assert factors(lr_schedule="linear") == pytest.approx(linear)
    cosine = [0.04 + 0.48 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert factors(lr_schedule="cosine") == pytest.approx(cosine)
    assert factors(lr_schedule="step") == pytest.approx([1] * 4 + [0.2] * 2 + [0.04] * 2)


def test_a_warm_up_rises_to_the_rate_and_the_schedule_takes_the_steps_that_are_left():
    rising = [0.25, 0.5, 0.75, 1.0]
    assert factors(lr_warmup=4) == rising + [1.0] * 4
    left = factors(lr_schedule="linear", lr_warmup=4)
    assert left == pytest.approx([*rising, *(1 - 0.96 * step / 4 for step in range(4))])
    assert factors(lr_schedule="step", lr_warmup=8)[-1] == 1.0


def test_learned_weights_and_a_discriminator_keep_their_rates(make_run):
    config, state = make_run("lvae", own={"weight_optimizer": "adam", "weight_lr": 5e-4}, lr=1e-3)
    scheduled = TrainConfig(steps=6, lr=1e-3, lr_schedule="linear", lr_final=0.5)
    prepare_update(state.optimizer, scheduled, 3)
    assert [group["lr"] for group in state.optimizer.param_groups] == [7.5e-4, 5e-4]
    config, state = make_run("factorvae", lr_schedule="linear", lr_final=0.5)
    before = [group["lr"] for group in state.adversary.param_groups]
    fit(state, config.train)
    assert [group["lr"] for group in state.adversary.param_groups] == before


def test_the_rate_of_each_update_is_logged_and_only_where_it_moves(make_run):
    config, state = make_run(steps=4, log_every=1, lr=1e-3, lr_schedule="linear", lr_final=0.5)
    rates = [row["lr"] for row in fit(state, config.train)]
    assert rates == pytest.approx([1e-3, 8.75e-4, 7.5e-4, 6.25e-4])
    config, state = make_run(steps=1)
    assert "lr" not in fit(state, config.train)[-1]


def test_a_first_update_of_adam_is_as_large_as_its_rate(make_run):
    slow, slower = (make_run(steps=4, lr=0.01, lr_warmup=warmup) for warmup in (0, 4))
    moved = []
    for config, state in (slow, slower):
        before = [p.detach().clone() for p in state.model.parameters()]
        _update(state, config.train, make_forward(state, config.train))
        pairs = zip(before, state.model.parameters(), strict=True)
        moved.append(max((a - b).abs().max().item() for a, b in pairs))
    assert moved == pytest.approx([0.01, 0.0025], rel=1e-2)


def test_the_networks_gradient_is_clipped_as_a_whole_and_no_other(make_run):
    _, state = make_run("lvae", own={"weight_optimizer": "adam"})
    network = [*state.model.parameters()]
    for p in (*network, *state.weighting.parameters()):
        p.grad = torch.ones_like(p)
    prepare_update(state.optimizer, TrainConfig(clip_grad=0.5), 0)
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in network))
    assert norm == pytest.approx(0.5, rel=1e-4)
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in state.weighting.parameters())
    prepare_update(state.optimizer, TrainConfig(clip_grad=0.6), 0)
    again = math.sqrt(sum(p.grad.square().sum().item() for p in network))
    assert again == pytest.approx(norm, rel=1e-6)  # a smaller gradient stays as it is


def test_neither_waits_for_the_device(make_run, never_read):
    own = {"lr_schedule": "cosine", "lr_warmup": 2, "clip_grad": 1.0}
    config, state = make_run("dynamicvae", steps=5, log_every=100, **own)
    forward = make_forward(state, config.train)
    _update(state, config.train, forward)

    with never_read():
        for _ in range(3):
            assert _update(state, config.train, forward) is None
    assert state.step == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_final": 0.0}, r"`lr_final` must be in \(0, 1\]; got 0.0. The default is 0.01"),
        ({"lr_warmup": -1}, "`lr_warmup` must be"),
        ({"steps": 5, "lr_warmup": 6}, "`lr_warmup` must be at most the run's 5 steps; got 6. L"),
        ({"clip_grad": 0.0}, "`clip_grad` must be positive and finite; got 0.0"),
        ({"held_out": 1.0}, r"`held_out` must be in \[0, 1\); got 1.0. The default is 0.0"),
        ({"validate_every": 0}, "`validate_every` must be at least 1; got 0"),
        ({"patience": 0, "validate_every": 1}, "`patience` must be at least 1; got 0"),
        ({"patience": 3}, "`validate_every` must be given with keep_best and patience; got None"),
        ({"keep_best": True}, "`validate_every` must be given with keep_best and patience"),
        ({"pictures_every": 0}, "`pictures_every` must be at least 1; got 0"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)
