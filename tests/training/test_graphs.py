"""CUDA graphs: which networks are captured, and that a graphed run is the run that it would be."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from autobeta import ModelConfig, RunConfig, TrainConfig, registry
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit, graphs, loop
from autobeta.training.forward import Forward
from autobeta.training.graphs import GraphedForward, is_static
from autobeta.training.seeding import seed_everything

on_cuda = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
pytestmark = pytest.mark.filterwarnings("ignore:.* in a run of")


class Own(nn.Flatten):
    """A class of one's own, whose Python a graph would not repeat."""


class Waiting(nn.Flatten):
    """Reads a number on the host in every step."""

    def forward(self, x):
        assert x.sum().item() >= 0
        return super().forward(x)


Waiting.__module__ = "torch.own"  # passes for one of torch's


def network(*more):
    def make(shape, num_latents):
        height, width, channels = shape
        pixels = height * width * channels
        encoder = nn.Sequential(
            nn.Flatten(), *more, nn.Linear(pixels, 16), nn.BatchNorm1d(16), nn.Dropout(0.2),
            nn.Linear(16, 2 * num_latents),
        )  # fmt: skip
        decoder = nn.Sequential(
            nn.Linear(num_latents, pixels), nn.Unflatten(1, (channels, height, width))
        )
        return encoder, decoder

    return make


def begun(method="vae", device="cpu", more=None, steps=6, **train):
    usual = {"batch_size": 16, "log_every": 2, "checkpoint_every": 2, "device": device}
    model = ModelConfig(num_latents=4)
    settings = TrainConfig(steps=steps, **usual | train)
    config = RunConfig(method=method, data="toy", model=model, train=settings)
    seed_everything(0)
    objects = Objects() if more is None else Objects(network=network(*more))
    state = build(config, objects).state
    state.model.train()
    return settings, state


@pytest.mark.parametrize("method", registry.available("methods"))
def test_every_method_of_ours_is_static(method):
    settings, state = begun(method)
    assert is_static(Forward(state, settings))


def test_layers_of_torch_are_static_and_classes_of_ones_own_are_not():
    for more, expected in (((), True), ((Own(),), False)):
        settings, state = begun(more=more)
        assert is_static(Forward(state, settings)) is expected


def test_a_module_with_a_hook_is_not_static():
    settings, state = begun()
    forward = Forward(state, settings)
    hook = state.model.decoder.register_forward_hook(lambda *_: None)
    assert not is_static(forward)
    hook.remove()
    assert is_static(forward)


def test_only_cuda_has_graphs(monkeypatch):
    settings, state = begun()
    assert isinstance(loop.make_forward(state, settings), Forward)
    monkeypatch.setattr(type(state), "device", torch.device("cuda"))
    assert isinstance(loop.make_forward(state, settings), GraphedForward)


def test_a_network_of_ones_own_is_captured_if_compile_says_that_it_may_be(monkeypatch):
    for compile, expected in ((False, Forward), (True, GraphedForward)):
        settings, state = begun(more=(Own(),))
        with monkeypatch.context() as patch:
            patch.setattr(type(state), "device", torch.device("cuda"))
            assert isinstance(
                loop.make_forward(state, replace(settings, compile=compile)), expected
            )


def test_what_cannot_be_captured_is_trained_without_and_nothing_has_moved(monkeypatch):
    tries = []

    def fail(wanted, forward):
        tries.append(wanted)
        with torch.random.fork_rng(devices=[]):
            wanted[0]()  # moves the running mean
        raise RuntimeError("no capture\nand more")

    monkeypatch.setattr(graphs, "_capture", fail)
    settings, plain = begun(more=())
    expected = [Forward(plain, settings)(next(plain.batches))[1]["kl"] for _ in range(2)]
    settings, state = begun(more=())
    forward = GraphedForward(Forward(state, settings))
    with pytest.warns(UserWarning, match=r"without a CUDA graph, which is slower: no capture$"):
        found = [forward(next(state.batches))[1]["kl"] for _ in range(2)]
    assert found == expected
    assert_same(state.model.state_dict(), plain.model.state_dict())
    assert len(tries) == 1


def gpu(function):
    for mark in on_cuda:
        function = mark(function)
    return function


def trained(monkeypatch, static, **given):
    with monkeypatch.context() as patch:
        if not static:
            patch.setattr(loop, "is_static", lambda forward: False)
        settings, state = begun(device="cuda", **given)
        made = []
        make = loop.make_forward
        patch.setattr(loop, "make_forward", lambda *args: made.append(make(*args)) or made[0])
        log = fit(state, settings)
    captured = isinstance(made[0], GraphedForward) and not made[0].refused
    return log, {**state.model.state_dict(), **state.tensors()}, captured


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", registry.available("methods"))
def test_a_graphed_run_is_that_of_kernels_launched_one_by_one(
    monkeypatch, deterministic, method, precision
):
    given = {"method": method, "precision": precision}
    log, tensors, captured = trained(monkeypatch, static=True, **given)
    assert captured
    expected_log, expected, captured = trained(monkeypatch, static=False, **given)
    assert not captured
    assert_same(tensors, expected)
    assert log == expected_log


@gpu
def test_running_means_and_dropout_are_those_of_kernels_launched_one_by_one(
    monkeypatch, deterministic
):
    _, tensors, captured = trained(monkeypatch, static=True, more=())
    assert captured
    assert_same(tensors, trained(monkeypatch, static=False, more=())[1])


@gpu
@pytest.mark.parametrize("method", ["vae", "dynamicvae", "factorvae", "sigmavae"])
def test_a_graphed_run_resumes_bit_for_bit(tmp_path, deterministic, method):
    settings, whole = begun(method, "cuda", log_every=1)
    fit(whole, settings)
    settings, first = begun(method, "cuda", steps=3, log_every=1)
    fit(first, settings, folder=tmp_path)
    settings, second = begun(method, "cuda", log_every=1)
    torch.manual_seed(999)
    fit(second, settings, folder=tmp_path)
    assert files.read_jsonl(tmp_path / files.LOG)[-1]["step"] == 6
    assert_same(
        {**second.model.state_dict(), **second.tensors()},
        {**whole.model.state_dict(), **whole.tensors()},
    )


@gpu
@pytest.mark.parametrize("rehearsed", [True, False])
def test_a_network_that_waits_for_the_device_is_trained_without(
    monkeypatch, deterministic, rehearsed
):
    with monkeypatch.context() as patch:
        if not rehearsed:  # so that the capture itself fails
            patch.setattr(graphs, "_rehearse", lambda compute, parameters, stream: None)
        with pytest.warns(UserWarning, match="trained without a CUDA graph, which is slower"):
            _, tensors, captured = trained(monkeypatch, static=True, more=(Waiting(),))
    assert not captured
    assert_same(tensors, trained(monkeypatch, static=False, more=(Waiting(),))[1])


@gpu
def test_terms_of_a_step_outlive_the_next():
    settings, state = begun(device="cuda")
    forward = loop.make_forward(state, settings)
    kept = []
    for _ in range(2):
        output, terms = forward(next(state.batches))
        kept.append((terms["kl"], output.posterior.kl().sum(dim=1).mean().item()))
    for term, value in kept:
        assert term.item() == pytest.approx(value, rel=1e-5)
    assert kept[0][1] != kept[1][1]
