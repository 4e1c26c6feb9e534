import json
import math
import time
from dataclasses import replace

import pytest
import torch

from autobeta import TrainConfig, registry
from autobeta.errors import DivergedError, InterruptedRunError
from autobeta.run import folder as runs
from autobeta.training import fit
from autobeta.training.loop import _Clock, _update, make_forward

pytestmark = pytest.mark.filterwarnings("ignore:.* in a run of [56] steps")
METHODS = registry.available("methods")


def tensors(state):
    return {**state.model.state_dict(), **state.tensors()}


def assert_same_state(a, b):
    left, right = tensors(a), tensors(b)
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


@pytest.mark.parametrize("method", METHODS)
def test_resumed_run_is_bit_identical(make_run, tmp_path, method):
    config, whole = make_run(method)
    with torch.random.fork_rng(devices=[]):
        log = fit(whole, config.train, folder=tmp_path / "whole")
        expected = tensors(whole)
    config, first = make_run(method)
    fit(first, TrainConfig(steps=3, batch_size=8, log_every=2), folder=tmp_path / "parts")
    # the log of the first part has a last line of its own, at step 3
    rows = runs.read_jsonl(tmp_path / "parts" / runs.LOG)
    runs.write_jsonl(tmp_path / "parts" / runs.LOG, [r for r in rows if r["step"] % 2 == 0])
    torch.manual_seed(999)
    _, second = make_run(method)
    resumed = fit(second, config.train, folder=tmp_path / "parts")
    found = tensors(second)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    # the mean KL was logged away at step 3, so that of step 4 is of one step
    drop = {"kl_average", "tracking_error"}
    strip = [{k: v for k, v in row.items() if k not in drop} for row in resumed]
    assert strip == [{k: v for k, v in row.items() if k not in drop} for row in log]
    kept = [row["kl_average"] for row in resumed if row["step"] != 4]
    assert kept == [row["kl_average"] for row in log if row["step"] != 4]
    alone = next(row for row in resumed if row["step"] == 4)
    assert alone["kl_average"] == pytest.approx(alone["terms"]["kl"], rel=1e-6)


def test_log_holds_terms_weights_and_state(make_run, tmp_path):
    config, state = make_run("dynamicvae", steps=4)
    log = fit(state, config.train, folder=tmp_path)
    assert log == runs.read_jsonl(tmp_path / runs.LOG)
    row = log[-1]
    assert row["step"] == 4
    assert row["weights"]["reconstruction"] == 1.0
    assert row["beta"] == pytest.approx(row["state"]["weighting.controller.beta"])
    assert row["target"] == row["state"]["weighting.controller.target"]
    assert row["tracking_error"] == row["kl_average"] - row["target"]
    total = row["terms"]["reconstruction"] + row["beta"] * row["terms"]["kl"]
    assert row["loss"] == pytest.approx(total, rel=1e-5)
    assert sum(row["kl_per_latent"]) == pytest.approx(row["terms"]["kl"], rel=1e-4)
    assert "images_per_second" not in json.dumps(row)


def test_equivalent_beta_of_sigma_vae_is_its_variance(make_run):
    config, state = make_run("sigmavae", steps=4)
    row = fit(state, config.train)[-1]
    sigma = math.exp(row["state"]["model.likelihood.log_sigma"])
    assert row["beta"] == 1.0
    assert row["equivalent_beta"] == pytest.approx(sigma**2, rel=1e-5)


def test_mean_kl_covers_all_steps_since_the_last_line(make_run):
    config, state = make_run(steps=6, log_every=1)
    kls = [row["terms"]["kl"] for row in fit(state, config.train)]
    config, state = make_run(steps=6, log_every=3)
    averages = [row["kl_average"] for row in fit(state, config.train)]
    assert averages == pytest.approx([sum(kls[:3]) / 3, sum(kls[3:]) / 3], rel=1e-5)


def test_mean_kl_of_an_extended_run_counts_the_steps_of_its_own_line(make_run, tmp_path):
    config, whole = make_run(steps=6, log_every=1)
    kls = [row["terms"]["kl"] for row in fit(whole, config.train)]
    config, first = make_run(steps=3, log_every=2)  # its last line stands at step 3
    fit(first, config.train, folder=tmp_path)
    config, second = make_run(steps=6, log_every=2)
    log = fit(second, config.train, folder=tmp_path)
    assert [row["step"] for row in log] == [2, 3, 4, 6]
    expected = [sum(kls[:2]) / 2, kls[2], kls[3], sum(kls[4:]) / 2]
    assert [row["kl_average"] for row in log] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_steps_between_two_log_lines_never_wait_for_the_device(make_run, never_read, method):
    config, state = make_run(method, steps=5, log_every=100)
    fit(state, TrainConfig(steps=1, batch_size=8, log_every=100))

    forward = make_forward(state, config.train)

    with never_read():
        for _ in range(3):
            assert _update(state, config.train, forward) is None
    assert state.step == 4


def test_training_lowers_the_loss(make_run):
    config, state = make_run(steps=50)
    log = fit(state, config.train)
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]


def test_bfloat16_trains_and_keeps_float32_losses(make_run):
    config, state = make_run("lvae", steps=4, precision="bfloat16")
    row = fit(state, config.train)[-1]
    assert math.isfinite(row["loss"])
    assert all(p.dtype == torch.float32 for p in state.model.parameters())


def test_divergence_names_step_terms_weights_and_seed_and_keeps_the_checkpoint(make_run, tmp_path):
    config, state = make_run(steps=6, seed=3)
    short = TrainConfig(steps=2, batch_size=8, log_every=2, seed=3)
    fit(state, short, folder=tmp_path)
    before = (tmp_path / runs.CHECKPOINT / runs.MODEL).read_bytes()
    with torch.no_grad():
        next(state.model.parameters()).fill_(math.nan)
    state.step = 2
    # no checkpoint to resume from in another folder, so the broken state goes on
    with pytest.raises(DivergedError, match=r"got nan at step 4 with terms .* and seed 3"):
        fit(state, config.train, folder=tmp_path / "other")
    assert (tmp_path / runs.CHECKPOINT / runs.MODEL).read_bytes() == before
    assert not (tmp_path / "other" / runs.CHECKPOINT).exists()


def test_signal_writes_a_checkpoint_and_is_reported(make_run, tmp_path):
    import os
    import signal

    config, state = make_run(steps=50, log_every=1, checkpoint_every=1000)

    def stop(row, rate):
        if row["step"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="stopped at step 3 by SIGTERM") as stopped:
        fit(state, config.train, folder=tmp_path, callbacks=[stop])
    assert stopped.value.signal_number == signal.SIGTERM
    step = runs.read_json(tmp_path / runs.CHECKPOINT / "state.json")["step"]
    assert step == stopped.value.step == 3


def test_signal_handlers_are_put_back(make_run):
    import signal

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    config, state = make_run(steps=1)
    fit(state, config.train)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_weighting_has_its_own_learning_rate(make_run):
    own = {"weight_optimizer": "adam", "weight_lr": 5e-4}
    _, state = make_run("lvae", own=own, lr=1e-3)
    assert [group["lr"] for group in state.optimizer.param_groups] == [1e-3, 5e-4]


@pytest.mark.parametrize(
    ("name", "betas"),
    [("adam", (0.9, 0.999)), ("adam_short", (0.9, 0.9)), ("rmsprop", (0.0, 0.9))],
)
def test_weighting_has_an_optimizer_of_its_own(make_run, name, betas):
    _, state = make_run("lvae", own={"weight_optimizer": name})
    assert [group["betas"] for group in state.optimizer.param_groups] == [(0.9, 0.999), betas]


def test_no_moment_of_a_weight_is_kept_in_the_warmup(make_run):
    config, state = make_run("lvae", steps=6, own={"weight_optimizer": "adam", "warmup": 3})
    for steps, expected in ((3, 0), (4, 2)):
        fit(state, replace(config.train, steps=steps))
        weights = list(state.weighting.parameters())
        assert len([w for w in weights if w in state.optimizer.state]) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"lr": 0.0}, "`lr` must be positive and finite; got 0"),
    ],
)
def test_bad_setting_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)


def test_an_adversary_is_trained_beside_the_model_and_logged(make_run):
    config, state = make_run("factorvae", steps=4)
    before = [p.clone() for p in state.objective.parameters()]
    owned = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
    assert not owned & {id(p) for p in state.objective.parameters()}
    log = fit(state, config.train)
    moved = [
        not torch.equal(a, b) for a, b in zip(before, state.objective.parameters(), strict=True)
    ]
    assert all(moved)
    assert log[-1]["state"]["objective.discriminator_loss"] == pytest.approx(math.log(2), abs=0.1)
    assert log[-1]["weights"]["total_correlation"] == pytest.approx(10.0)


def test_what_is_done_on_the_way_does_not_count_for_the_speed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = _Clock(0, 64)
    now[0] = 2.0
    with clock.stopped():
        now[0] = 60.0
    assert clock.timing(10) | {"begun": None} == {
        **{"step": 10, "begun": None, "seconds": 60.0, "images_per_second": 320.0}
    }
