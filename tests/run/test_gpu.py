"""Runs on a CUDA device: every method trains and resumes there, and comes back to the CPU."""

import pytest
import torch

from autobeta import (
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    encode,
    evaluate,
    load_run,
    registry,
    train,
)
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training.machine import find_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore:.* in a run of"),
]
FEW = EvaluationConfig(num_points=200, metrics=("mig",), num_pictures=4)


def config(method="vae", steps=6, **train_settings):
    usual = {"batch_size": 16, "log_every": 2, "checkpoint_every": 2, "device": "auto"}
    return RunConfig(
        method=method,
        data="toy",
        model=ModelConfig(num_latents=4),
        train=TrainConfig(steps=steps, **usual | train_settings),
    )


def interrupt(row, speed):
    if row["step"] == 4:
        raise KeyboardInterrupt


@pytest.mark.parametrize("method", registry.available("methods"))
def test_a_run_trains_resumes_and_comes_back_to_the_cpu(method, tmp_path, deterministic):
    whole = train(config(method), tmp_path / "whole", evaluation=FEW)
    assert {p.device.type for p in whole.model.parameters()} == {"cuda"}
    with pytest.raises(KeyboardInterrupt):
        train(config(method), tmp_path / "run", callbacks=[interrupt])
    again = train(config(method), tmp_path / "run", evaluation=FEW)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
    assert files.read_json(tmp_path / "run" / files.ENVIRONMENT)["device"].startswith("cuda")
    on_cpu = load_run(tmp_path / "run", device="cpu")
    here, there = (encode(run, run.dataset, num_points=50).codes for run in (on_cpu, again))
    assert abs(here - there).max() < 1e-2
    assert evaluate(on_cpu, FEW)["num_points"] == 200


@pytest.mark.parametrize("method", registry.available("methods"))
def test_a_checkpoint_of_the_gpu_is_resumed_on_the_cpu(method, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(config(method), tmp_path, callbacks=[interrupt])
    assert train(config(method, device="cpu"), tmp_path, evaluation=FEW).step == 6


def test_bfloat16_trains(tmp_path):
    assert train(config(precision="bfloat16"), tmp_path, evaluation=FEW).step == 6


def test_auto_is_cuda_and_another_card_is_refused_with_those_there_are(tmp_path):
    assert find_device("auto").type == "cuda"
    count = torch.cuda.device_count()
    with pytest.raises(ValueError, match=rf"finds here, cpu, cuda, cuda:0.*got 'cuda:{count}'"):
        train(config(device=f"cuda:{count}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_on_the_cpu_leaves_the_cuda_generator_alone(tmp_path):
    before = torch.cuda.get_rng_state()
    state = build(config(device="cpu"), Objects()).state
    assert "random.cuda" not in state.tensors()
    train(config(device="cpu"), tmp_path, evaluation=FEW)
    assert before.shape == torch.cuda.get_rng_state().shape


@pytest.mark.parametrize("method", registry.available("methods"))
def test_no_step_between_two_lines_waits_for_the_device(method):
    from autobeta.training.loop import _update, make_forward

    settings = config(method, steps=100, log_every=100)
    state = build(settings, Objects()).state
    for module in state.modules().values():
        module.train()
    forward = make_forward(state, settings.train)
    for _ in range(3):
        _update(state, settings.train, forward)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            assert _update(state, settings.train, forward) is None
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("method", ["dynamicvae", "lvae", "factorvae", "betatcvae"])
def test_a_run_that_is_watched_has_the_training_of_one_that_is_not(
    method, tmp_path, deterministic
):
    own = {"held_out": 0.1, "lr_schedule": "cosine", "lr_warmup": 2, "clip_grad": 50.0}
    watched = {"validate_every": 1, "keep_best": True, "pictures_every": 2}
    for name, more in (("plain", {}), ("watched", watched)):
        train(config(method, **own, **more), tmp_path / name, evaluation=FEW)
    plain, same = (load_run(tmp_path / name, device="cpu").model for name in ("plain", "watched"))
    for name, tensor in plain.state_dict().items():
        assert torch.equal(same.state_dict()[name], tensor), name
    logs = [(tmp_path / name / files.LOG).read_bytes() for name in ("plain", "watched")]
    assert logs[0] == logs[1]
