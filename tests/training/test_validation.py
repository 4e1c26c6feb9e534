"""Validation on held-out images: what it counts and decides, and that training takes no notice."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig, registry
from autobeta.data import load_data, with_validation
from autobeta.errors import DivergedError
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import HeldOut, fit, validation
from autobeta.training.checkpoint import read_facts, read_tensors
from autobeta.training.seeding import seed_everything
from autobeta.training.validation import Validation, evaluating, validate

pytestmark = pytest.mark.filterwarnings("ignore:.* in a run of [0-9]+ steps")
METHODS = registry.available("methods")
OWN = {"factorvae": {"discriminator_layers": 1}}
FEW = 0.01  # of the 2304 toy images: 23


def tiny(shape, num_latents):
    height, width, channels = shape
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(height * width * channels, 2 * num_latents))
    decoder = nn.Linear(num_latents, height * width * channels)
    return encoder, nn.Sequential(decoder, nn.Unflatten(1, (channels, height, width)))


def begun(method="vae", steps=6, own=None, **train):
    """Configuration and fresh state of a small run with held-out images."""
    usual = {"batch_size": 8, "log_every": 2, "checkpoint_every": 2, "device": "cpu"}
    config = RunConfig(
        method=method,
        method_config=registry.load("methods", method).Config(**own or OWN.get(method, {})),
        data="toy",
        data_options=DataOptions(image_size=32),
        model=ModelConfig(num_latents=3),
        train=TrainConfig(steps=steps, **{"held_out": FEW, **usual, **train}),
    )
    seed_everything(config.train.seed)
    return config.train, build(config, Objects(network=tiny)).state


def tensors(state):
    return {**state.model.state_dict(), **state.tensors()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def lines(folder):
    return files.read_jsonl(folder / files.VALIDATION)


@pytest.mark.parametrize("method", METHODS)
def test_a_validated_training_is_bit_for_bit_the_same_without(tmp_path, method):
    config, plain = begun(method, steps=5)
    log = fit(plain, config)
    config, watched = begun(method, steps=5, validate_every=1, keep_best=True, patience=50)
    assert fit(watched, config, folder=tmp_path) == log
    assert_same(tensors(plain), tensors(watched))
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]


def test_held_out_images_are_chosen_by_the_seed_and_never_trained_on():
    toy = load_data("toy")
    split = with_validation(toy, 0.1, seed=3).splits
    assert len(split["validation"]) == 230
    assert np.array_equal(np.sort(np.concatenate([*split.values()])), toy.splits["train"])
    assert not np.array_equal(
        split["validation"], with_validation(toy, 0.1, seed=4).splits["validation"]
    )
    assert with_validation(toy, 0.0, seed=3) is toy
    seen = []
    config, state = begun(steps=300, held_out=0.5, batch_size=8)
    state.batches._dataset = replace(
        toy, images=lambda index: seen.append(index) or toy.images(index)
    )
    for _ in range(300):
        next(state.batches)
    held_out = with_validation(toy, 0.5, config.seed).splits["validation"]
    assert len(np.unique(np.concatenate(seen))) == 1152
    assert not np.intersect1d(np.concatenate(seen), held_out).size


@pytest.mark.parametrize(
    ("fraction", "splits", "message"),
    [
        (0.9999, {}, r"`held_out` must leave an image for training; got 0\.9999 of 2304"),
        (0.5, {"validation": np.arange(3)}, "`held_out` must be 0 for toy, which has a split"),
    ],
)
def test_a_part_that_cannot_be_held_out_is_refused(fraction, splits, message):
    toy = load_data("toy")
    toy = replace(toy, splits={**toy.splits, **splits})
    with pytest.raises(ValueError, match=message):
        with_validation(toy, fraction, seed=0)


def test_a_line_has_the_means_over_all_held_out_images_and_the_weights_in_force():
    config, state = begun("betavae", own={"beta": 3.0}, validate_every=3, held_out=0.013)
    fit(state, config)
    line = validate(state, config)
    assert [len(x) for x in state.held_out.batches(state.device)] == [8, 8, 7, 7]
    x = torch.cat([*state.held_out.batches(state.device)])
    with torch.no_grad():
        kl = state.model.eval().encode(x).kl().sum(dim=1).mean().item()
    assert line["kl"] == pytest.approx(kl, rel=1e-5)
    assert line["elbo"] == -(line["reconstruction"] + line["kl"])
    assert line["loss"] == pytest.approx(line["reconstruction"] + 3 * line["kl"], rel=1e-5)
    torch.manual_seed(1234)
    assert validate(state, config) == line


def test_a_controlled_weight_is_read_and_not_moved():
    config, state = begun("dynamicvae", validate_every=3)
    fit(state, config)
    before = {name: tensor.clone() for name, tensor in state.weighting.state_dict().items()}
    line = validate(state, config)
    assert_same(before, state.weighting.state_dict())
    beta = before["controller.beta"].item()
    assert line["loss"] == pytest.approx(line["reconstruction"] + beta * line["kl"], rel=1e-5)


def test_a_part_that_was_in_eval_stays_so():
    _, state = begun()
    state.model.train()
    state.model.decoder.eval()
    with evaluating(state.model):
        assert not state.model.encoder.training
    assert state.model.encoder.training
    assert not state.model.decoder.training


@pytest.fixture
def elbos(monkeypatch):
    """Sets the ELBO that each validation finds."""

    def set_to(*values):
        wanted = dict(enumerate(values, start=1))
        monkeypatch.setattr(
            validation,
            "validate",
            lambda state, config: {
                "step": state.step,
                "elbo": float(wanted[state.step // config.validate_every]),
            },
        )

    return set_to


@pytest.mark.parametrize(
    ("found", "patience", "expected"),
    [
        ([1, 2, 1, 2, 1, 1], 2, 8),  # no less than the best is not better
        ([1, 2, 1, 3, 2, 2], 2, 12),
        ([1, 0, 0, 0, 0, 0], 1, 4),
        ([1, 0, 0, 0, 0, 0], 9, 12),
    ],
)
def test_training_stops_when_patience_is_at_an_end(tmp_path, elbos, found, patience, expected):
    elbos(*found)
    config, state = begun(steps=12, validate_every=2, patience=patience)
    fit(state, config, folder=tmp_path)
    assert state.step == expected
    written = (tmp_path / files.LOG).read_bytes()
    config, again = begun(steps=12, validate_every=2, patience=patience)
    fit(again, config, folder=tmp_path)
    assert again.step == expected
    assert_same(tensors(again), tensors(state))
    assert (tmp_path / files.LOG).read_bytes() == written


def test_the_best_network_is_that_of_the_step_with_the_highest_elbo(tmp_path, elbos):
    elbos(1, 3, 2, 3)
    config, state = begun(steps=12, validate_every=3, keep_best=True)
    fit(state, config, folder=tmp_path)
    path = tmp_path / files.BEST / files.MODEL
    assert read_facts(path)["step"] == 6
    config, short = begun(steps=6)
    fit(short, config)
    assert_same(read_tensors(path), short.model.state_dict())


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path):
    config, state = begun(validate_every=2)
    fit(state, config, folder=tmp_path)
    assert len(lines(tmp_path)) == 3
    assert not (tmp_path / files.BEST).exists()


ALL = {
    **{"validate_every": 2, "keep_best": True, "patience": 3, "clip_grad": 5.0},
    **{"lr_schedule": "cosine", "lr_warmup": 3, "checkpoint_every": 3},
}


class Killed(BaseException):
    pass


def contents(folder):
    """Files that a resume must leave as if there had been no kill."""
    names = (files.LOG, files.VALIDATION, f"{files.BEST}/{files.MODEL}")
    kept = [f"{files.CHECKPOINT}/{name}" for name in (files.MODEL, files.TRAINING, files.STATE)]
    return {name: (folder / name).read_bytes() for name in (*names, *kept)}


@pytest.mark.parametrize("method", ["dynamicvae", "lvae", "factorvae"])
def test_a_run_that_is_killed_at_any_step_goes_on_bit_for_bit(tmp_path, elbos, method):
    elbos(1, 2, 1, 3, 2, 2, 2, 2, 2)
    config, state = begun(method, steps=18, **ALL)
    fit(state, config, folder=tmp_path / "whole")
    assert state.step == 14
    steps = np.random.default_rng(0).permutation(np.arange(1, 14))

    class Kill:
        def __call__(self, row, rate):
            pass

        def updated(self, state):
            if state.step in self.now:
                raise Killed

    kill = Kill()
    for step in (*np.sort(steps[:3]), None):
        kill.now = {step}
        config, state = begun(method, steps=18, **ALL)
        try:
            fit(state, config, folder=tmp_path / "parts", callbacks=[kill])
        except Killed:
            assert step is not None
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_kill_between_a_checkpoint_and_the_best_network_loses_neither(
    tmp_path, elbos, monkeypatch
):
    elbos(1, 2, 1, 1, 1)
    config, state = begun(steps=10, **ALL)
    fit(state, config, folder=tmp_path / "whole")

    def kill(self, state):
        if state.step == 4:
            raise Killed
        keep(self, state)

    with monkeypatch.context() as patch:
        keep = Validation.keep
        patch.setattr(Validation, "keep", kill)
        config, state = begun(steps=10, **ALL)
        with pytest.raises(Killed):
            fit(state, config, folder=tmp_path / "parts")
    assert read_facts(tmp_path / "parts" / files.BEST / files.MODEL)["step"] == 2
    config, state = begun(steps=10, **ALL)
    fit(state, config, folder=tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_held_out_losses_that_are_not_finite_end_the_run():
    config, state = begun(validate_every=1, log_every=100)
    with torch.no_grad():
        next(state.model.parameters()).fill_(math.nan)
    with pytest.raises(DivergedError, match="held-out `loss` must be finite; got nan at step 1"):
        fit(state, config)


def test_a_state_without_held_out_images_is_refused():
    config, state = begun()
    config = replace(config, validate_every=2)
    with pytest.raises(ValueError, match="`held_out` must be given to make_state"):
        fit(state, config)
    state.held_out = HeldOut(load_data("toy"), "train", 8)
    with pytest.raises(ValueError, match="`held_out` must leave at least 5 images"):
        HeldOut(
            replace(load_data("toy"), splits={"train": np.arange(9), "test": np.arange(4)}),
            *("test", 8),
            min_batch=5,
        )


def test_a_large_held_out_part_is_sampled_and_no_batch_is_below_the_least(monkeypatch):
    monkeypatch.setattr("autobeta.training.held_out.MOST", 21)
    held_out = HeldOut(load_data("toy"), "train", 5, min_batch=5)
    assert [len(x) for x in held_out.batches(torch.device("cpu"))] == [6, 5, 5, 5]
