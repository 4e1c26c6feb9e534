"""Networks and recipes that do what code of one's own does: keep, count, log, average, wait."""

import logging
import threading

import numpy as np
import pytest
import torch
from torch import nn

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    encode,
    load_run,
    train,
)
from autobeta.errors import DivergedError
from autobeta.methods import Recipe
from autobeta.models.likelihoods.gaussian import Gaussian
from autobeta.objectives import Elbo
from autobeta.run import folder as files
from autobeta.training.checkpoint import read_tensors, write_module
from autobeta.weighting import ControlledKL, LogPI, ScheduledWeights, schedules

FEW = EvaluationConfig(num_points=20, metrics=(), num_pictures=2)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)


def config(steps=4, method="vae"):
    return RunConfig(
        method=method,
        data_options=DataOptions(image_size=16),
        model=ModelConfig(num_latents=3),
        train=TrainConfig(steps=steps, batch_size=8, log_every=1, device="cpu", threads=1),
    )


def trained(folder, **given):
    return train(config(given.pop("steps", 4)), folder, data=IMAGES, evaluation=FEW, **given)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(256, 6)

    def forward(self, x):
        return self.layer(x.flatten(1))


def decoder():
    return nn.Sequential(nn.Linear(3, 256), nn.Unflatten(1, (1, 16, 16)))


class Masked(Encoder):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((6,), -torch.inf))
        self.register_buffer("best", torch.tensor(torch.inf))


class Counting(Encoder):
    calls = 0

    def forward(self, x):
        self.calls, self.shape = self.calls + 1, x.shape[1:]
        if self.calls == 1:
            self.register_buffer("first", torch.zeros(2))
        return super().forward(x)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LazyLinear(6)

    def forward(self, x):
        return self.layer(x.flatten(1))


class Logging(Encoder):
    def __init__(self):
        super().__init__()
        self.log = logging.getLogger(__name__)


@pytest.mark.parametrize("kind", [Masked, Counting, Lazy, Logging])
def test_a_network_of_any_habits_is_trained_resumed_and_loaded(kind, tmp_path):
    def network(shape, num_latents):
        return kind(), decoder()

    ran = trained(tmp_path, network=network)
    logging.getLogger("somebody.else").setLevel(logging.ERROR)  # another logger than before
    loaded = load_run(tmp_path, network=network)
    x = torch.rand(2, 1, 16, 16)
    assert torch.equal(loaded.model.encode(x).mean, ran.model.encode(x).mean)
    assert trained(tmp_path, network=network).step == 4


class Kept(Encoder):
    def __init__(self, state):
        super().__init__()
        self.state = state

    def get_extra_state(self):
        return self.state

    def set_extra_state(self, state):
        self.state = state


def test_a_state_that_no_checkpoint_keeps_is_refused_before_there_is_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"`model` must have tensors alone .* of type dict"):
        trained(tmp_path / "run", network=(Kept({"a": 1}), decoder()))
    odd = Encoder()
    odd.register_buffer("seen", torch.tensor(torch.nan))
    with pytest.raises(ValueError, match=r"no NaN .* got one in encoder.seen. Begin it"):
        trained(tmp_path / "run", network=(odd, decoder()))
    assert not (tmp_path / "run").exists()


def test_what_a_function_keeps_is_copied_so_that_runs_know_nothing_of_each_other(tmp_path):
    pair, weighting = (Encoder(), decoder()), ControlledKL(LogPI(), schedules.constant(5.0))
    before = pair[0].layer.weight.clone()

    def made(folder):
        return trained(
            folder,
            network=lambda shape, n: pair,
            recipe=lambda facts: Recipe(objective=Elbo(), weighting=weighting),
        )

    first = made(tmp_path / "a")
    codes = encode(first, IMAGES).codes
    made(tmp_path / "b")
    a, b = ((tmp_path / name / files.LOG).read_bytes() for name in "ab")
    assert a == b
    assert torch.equal(pair[0].layer.weight, before)
    assert np.array_equal(encode(first, IMAGES).codes, codes)


def test_a_recipe_may_hold_the_runs_likelihood_and_its_images(tmp_path):
    class Holding(ScheduledWeights):
        def __init__(self, facts):
            super().__init__({"kl": 1.0})
            self.likelihood, self.images = facts.likelihood, facts.images

    seen = {}

    def recipe(facts):
        seen["weighting"] = Holding(facts)
        return Recipe(objective=Elbo(), weighting=seen["weighting"])

    def look(row, speed):
        pass

    look.begin = lambda state, config: seen.update(state=state)
    trained(
        tmp_path,
        recipe=recipe,
        likelihood=Gaussian(),
        network=(Encoder(), decoder()),
        callbacks=[look],
    )
    state = seen["state"]
    assert state.weighting is not seen["weighting"]
    assert state.weighting.likelihood is state.model.likelihood


def test_a_recipe_that_is_fitted_to_the_steps_may_be_extended_and_no_other(tmp_path):
    def fitted(end):
        def recipe(facts):
            beta = schedules.linear(0.0, end, steps=facts.num_steps)
            return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": beta}))

        return recipe

    network = (Encoder(), decoder())
    trained(tmp_path, recipe=fitted(1.0), network=network)
    with pytest.raises(ValueError, match=r"objects\.recipe"):
        trained(tmp_path, recipe=fitted(2.0), network=network, steps=6, extend=True)
    with pytest.raises(ValueError, match="use --extend to train it longer"):
        trained(tmp_path, recipe=fitted(1.0), network=network, steps=6)
    assert trained(tmp_path, recipe=fitted(1.0), network=network, steps=6, extend=True).step == 6
    assert load_run(tmp_path, recipe=fitted(1.0), network=network).step == 6


def test_small_random_numbers_of_a_weighting_are_those_of_the_seed(tmp_path):
    class Noisy(ScheduledWeights):
        def __init__(self):
            super().__init__({"kl": 1.0})
            self.register_buffer("noise", torch.randn(10))

    def recipe(facts):
        return Recipe(objective=Elbo(), weighting=Noisy())

    network = (Encoder(), decoder())
    trained(tmp_path, recipe=recipe, network=network)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert load_run(tmp_path, recipe=recipe, network=network).step == 4
    assert torch.equal(torch.get_rng_state(), before)


def test_a_likelihood_object_that_the_method_replaces_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="`likelihood` object is not used: sigmavae brings its"):
        train(
            config(method="sigmavae"),
            tmp_path,
            data=IMAGES,
            network=(Encoder(), decoder()),
            likelihood=Gaussian(),
            evaluation=FEW,
        )


class Locked(Encoder):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        ((Encoder, decoder), r"an encoder and a decoder, two modules; got \(<class"),
        ((Encoder(),), "an encoder and a decoder, two modules"),
        ((Locked(), decoder()), r"must be copied .* cannot pickle .* Leave out what"),
    ],
)
def test_what_is_no_pair_of_modules_or_can_not_be_copied_is_refused(network, message, tmp_path):
    with pytest.raises((TypeError, ValueError), match=message):
        trained(tmp_path / "run", network=network)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("callbacks", ["csv", print])
def test_callbacks_are_a_list(callbacks, tmp_path):
    with pytest.raises(TypeError, match=r"`callbacks` must be a list of them; got .* Give \["):
        trained(tmp_path / "run", callbacks=callbacks)


@pytest.mark.usefixtures("unchecked")
def test_one_image_has_a_code_and_numbers_of_numpy_are_numbers(tmp_path):
    run = trained(tmp_path, network=(Encoder(), decoder()))
    assert encode(run, IMAGES[:1]).codes.shape == (1, 3)
    assert encode(run, IMAGES, num_points=np.int64(5)).codes.shape == (5, 3)
    for number in (True, 0, 2.5):
        with pytest.raises(ValueError, match="`num_points` must be a whole number"):
            encode(run, IMAGES, num_points=number)


def test_infinity_in_a_parameter_is_a_divergence_and_none_in_a_buffer(tmp_path):
    module = Masked()
    write_module(tmp_path / "a", module)
    assert read_tensors(tmp_path / "a")["best"] == torch.inf
    with torch.no_grad():
        module.layer.bias[0] = torch.inf
    with pytest.raises(DivergedError, match=r"`layer.bias` must be finite"):
        write_module(tmp_path / "a", module)
    assert read_tensors(tmp_path / "a")["layer.bias"].isfinite().all()


def test_an_object_of_a_script_is_the_same_when_another_imports_it(tmp_path, monkeypatch):
    def network(shape, num_latents):
        return Encoder(), decoder()

    def other(shape, num_latents):
        return Masked(), decoder()

    imported = network.__module__
    for made, used in (("__main__", imported), (imported, "__main__")):
        folder = tmp_path / made
        monkeypatch.setattr(network, "__module__", made)
        trained(folder, network=network)
        monkeypatch.setattr(network, "__module__", used)
        assert load_run(folder, network=network).step == 4
        assert trained(folder, network=network).step == 4
        assert trained(folder, network=network, steps=6, extend=True).step == 6
        with pytest.raises(ValueError, match="`network` must be what"):
            load_run(folder, network=other)
    monkeypatch.setattr(network, "__module__", "another.package")
    with pytest.raises(ValueError, match="`network` must be what"):
        load_run(tmp_path / "__main__", network=network)  # extended by who imported it
