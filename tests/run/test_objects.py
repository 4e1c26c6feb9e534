"""Objects in place of names: a run made with them is a run like any other."""

import copy
import functools
import math
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import t as student
from torch import nn
from torch.utils.data import Dataset

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    cli,
    encode,
    evaluate,
    load_run,
    train,
)
from autobeta.data import load_data
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE, AbstractLikelihood, Bernoulli
from autobeta.models.likelihoods.gaussian import Gaussian
from autobeta.objectives import Elbo
from autobeta.run import folder as files
from autobeta.run.objects import _content
from autobeta.run.traverse import draw_traversals
from autobeta.weighting import ControlledKL, LogPI, ScheduledWeights, schedules

FEW = EvaluationConfig(num_points=40, metrics=(), num_pictures=4)
SHAPE = (64, 64, 3)


def config(steps=6, **train_settings):
    usual = {"batch_size": 8, "log_every": 2, "checkpoint_every": 3, "device": "cpu"}
    return RunConfig(
        method="vae",
        data="toy",
        model=ModelConfig(architecture="burgess", num_latents=3),
        train=TrainConfig(steps=steps, **usual | train_settings),
    )


@pytest.fixture(scope="module")
def array():
    return np.random.default_rng(0).integers(0, 256, (40, *SHAPE), dtype=np.uint8)


class Labelled(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return torch.from_numpy(self.images[i]).permute(2, 0, 1) / 255, i % 5


def network(image_shape, num_latents):
    height, width, channels = image_shape
    size = height * width * channels
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 2 * num_latents))
    shaped = nn.Unflatten(1, (channels, height, width))
    return encoder, nn.Sequential(nn.Linear(num_latents, size), shaped)


def recipe(facts: Facts) -> Recipe:
    return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": 0.5}))


def objects(array):
    return {"data": array, "network": network, "likelihood": Gaussian(), "recipe": recipe}


def interrupt(row, speed):
    if row["step"] == 4:
        raise KeyboardInterrupt


def test_a_run_of_objects_resumes_bit_for_bit(array, tmp_path):
    whole = train(config(), tmp_path / "whole", evaluation=FEW, **objects(array))
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "run", callbacks=[interrupt], **objects(array))
    again = train(config(), tmp_path / "run", evaluation=FEW, **objects(array.copy()))
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
    for name in (files.LOG, files.METRICS):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_modules_may_be_given_and_stay_as_they_are(array, tmp_path):
    pair = network(SHAPE, 3)
    before = [p.clone() for part in pair for p in part.parameters()]
    made = Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": 2.0}))
    run = train(config(), tmp_path, data=array, network=pair, recipe=made, evaluation=FEW)
    after = [p for part in pair for p in part.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not torch.equal(run.model.encoder[1].weight, pair[0][1].weight)


def test_config_names_the_objects_and_what_they_are_known_by(array, tmp_path):
    train(config(), tmp_path / "run", evaluation=FEW, **objects(array))
    stored = files.read_config(tmp_path / "run")
    assert (stored["method"], stored["model"]["architecture"]) == ("object", "object")
    assert stored["objects"]["network"]["path"] == f"{__name__}.network"
    assert (
        stored["objects"]["likelihood"]["path"] == "autobeta.models.likelihoods.gaussian.Gaussian"
    )
    assert stored["data"]["name"] == "object"
    assert len(stored["data"]["fingerprint"]) >= 12


def test_images_that_are_not_square_train_encode_and_traverse(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), dtype=np.uint8)
    settings = replace(config(), data_options=DataOptions(image_size=None))
    run = train(settings, tmp_path / "run", data=images, network=network, evaluation=FEW)
    assert run.image_shape == (20, 24, 3)
    assert encode(run, images[:5]).codes.shape == (5, 3)
    with pytest.raises(ValueError, match=r"must have images of shape \(20, 24, 3\)"):
        encode(run, images[:, :, :20])
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    assert draw_traversals(run, tmp_path, images=[tmp_path / "a.png"], num_values=2)
    Image.fromarray(images[0, :, :20]).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"`image` must have the shape \(20, 24, 3\)"):
        draw_traversals(run, tmp_path, images=[tmp_path / "b.png"])


def test_other_objects_are_refused(array, tmp_path):
    train(config(), tmp_path, evaluation=FEW, **objects(array))
    with pytest.raises(ValueError, match=r"differs in data\.fingerprint"):
        train(config(), tmp_path, **objects(255 - array))
    with pytest.raises(ValueError, match=r"differs in objects\.likelihood"):
        train(config(), tmp_path, **objects(array) | {"likelihood": Gaussian(2.0)})


def test_load_run_asks_for_the_objects_that_it_cannot_rebuild(array, tmp_path):
    given = objects(array)
    train(config(), tmp_path, evaluation=FEW, **given)
    for name in ("network", "likelihood", "recipe"):
        rest = {key: value for key, value in given.items() if key not in (name, "data")}
        with pytest.raises(ValueError, match=rf"`{name}` must be given.*load_run\(folder, {name}"):
            load_run(tmp_path, **rest)
    run = load_run(tmp_path, **{k: v for k, v in given.items() if k != "data"})
    with pytest.raises(ValueError, match="`data` must be given"):
        _ = run.dataset
    assert encode(run, array[:7]).codes.shape == (7, 3)


def test_a_run_of_objects_evaluates_traverses_and_reports(array, tmp_path, capsys):
    folder = tmp_path / "run"
    data = Labelled(array)
    train(config(), folder, data=data, network=network, evaluation=FEW)
    run = load_run(folder, network=network)
    found = evaluate(run, EvaluationConfig(num_points=40, metrics=("mig",)), data=data)
    assert "mig[bins=20]" in found["metrics"]
    with pytest.raises(ValueError, match=r"must be the images that .* was trained on"):
        evaluate(run, FEW, data=Labelled(255 - array))
    assert draw_traversals(run, tmp_path / "pictures", num_values=3)
    assert cli.main(["report", str(folder), "--out", str(tmp_path / "r.html")]) == 0
    assert cli.main(["evaluate", str(folder)]) == 1
    assert "`network` must be given" in capsys.readouterr().err


@pytest.mark.parametrize(
    "reduce", [lambda nats: nats.mean(), lambda nats: nats[:, None]], ids=["mean", "column"]
)
def test_a_likelihood_that_is_not_one_number_an_image_is_refused(tmp_path, reduce):
    class Reduced(Bernoulli):
        def nll(self, outputs, x):
            return reduce(super().nll(outputs, x))

    rule = r"`likelihood` must return one number for each image, shape \(8,\); got \("
    with pytest.raises(ValueError, match=rule):
        train(config(), tmp_path / "a", likelihood=Reduced())
    assert not (tmp_path / "a").exists()


class Absolute(AbstractLikelihood):
    """As short as plug-in.md allows."""

    def nll(self, outputs, x):
        return (self.link(outputs) - x).abs().sum(dim=(1, 2, 3))


def test_a_likelihood_needs_nothing_but_its_nats(tmp_path):
    train(config(), tmp_path / "a", likelihood=Absolute(), evaluation=FEW)
    row = files.read_log(tmp_path / "a")[-1]
    assert row["state"]["model.likelihood.log_sigma"] == 0
    assert load_run(tmp_path / "a", likelihood=Absolute()).model.likelihood.log_sigma == 0


@pytest.mark.parametrize("sigma", [0.0, torch.zeros(1)], ids=["float", "vector"])
def test_a_sigma_of_another_kind_is_refused_before_the_folder_is_claimed(tmp_path, sigma):
    class Odd(Absolute):
        log_sigma = sigma

    with pytest.raises(ValueError, match=r"`likelihood.log_sigma` must be a tensor .* shape \(\)"):
        train(config(), tmp_path / "a", likelihood=Odd())
    assert not (tmp_path / "a").exists()


def test_a_callback_of_other_arguments_is_refused_before_the_folder_is_claimed(tmp_path):
    with pytest.raises(TypeError, match="`callbacks` must take a line of the log and images per"):
        train(config(), tmp_path / "a", callbacks=[lambda row: None])
    assert not (tmp_path / "a").exists()


def test_an_object_of_another_kind_is_refused_with_its_type(tmp_path):
    with pytest.raises(
        (TypeError, ValueError), match="`network` must be an encoder and a decoder"
    ):
        train(config(), tmp_path / "a", network=lambda shape, num_latents: nn.Linear(1, 1))
    for single in (nn.Linear(1, 1), nn.ModuleList([nn.Linear(1, 1)])):
        with pytest.raises(TypeError, match="`network` must be an encoder and a decoder"):
            train(config(), tmp_path / "a", network=single)
    with pytest.raises((TypeError, ValueError), match="`recipe` must be a Recipe"):
        train(config(), tmp_path / "a", recipe=lambda facts: Elbo())
    assert not (tmp_path / "a").exists()


def test_a_network_that_does_not_fit_the_images_is_refused_before_the_folder_is_claimed(tmp_path):
    def wrong(image_shape, num_latents):
        return network((10, 10, 1), num_latents)

    with pytest.raises(ValueError, match="must pass network, objective and weighting"):
        train(config(), tmp_path / "a", network=wrong)
    assert not (tmp_path / "a").exists()


ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("own_*.py"))


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Runs that are evaluated by one metric of a few images, where nothing else is asked for."""
    few = partial(EvaluationConfig, num_points=100, metrics=("mig",))
    monkeypatch.setattr("autobeta.run.train.EvaluationConfig", few)
    monkeypatch.chdir(tmp_path)


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_of_objects_run_and_are_short(path, tmp_path, quick):
    assert len(path.read_text("utf-8").splitlines()) <= 40
    main = runpy.run_path(str(path))["main"]
    options = {} if path.stem == "own_data" else {"data": "toy"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOBETA_DATA", str(tmp_path / "data"))
        main(tmp_path / "runs", steps=3, **options)
    assert list((tmp_path / "runs").rglob(files.METRICS))


def test_the_example_of_a_callback_stops_in_time_and_goes_on(tmp_path, quick, capsys):
    main = runpy.run_path(str(ROOT / "examples" / "own_callbacks.py"))["main"]
    with pytest.raises(SystemExit, match=r"Stopped at step 1\. Start again"):
        main(tmp_path / "run", data="toy", steps=3, minutes=0)
    assert not (tmp_path / "run" / files.METRICS).exists()
    main(tmp_path / "run", data="toy", steps=3)
    said = capsys.readouterr().out
    assert "step 3: KL" in said
    assert "mig[bins=20]" in said
    assert len((tmp_path / "run" / files.CURVES).read_text().splitlines()) == 2


def test_the_example_of_a_likelihood_is_students_t():
    made = runpy.run_path(str(ROOT / "examples" / "own_likelihood.py"))["Student"](5.0)
    outputs, x = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    sigma = made.log_sigma.exp().item()
    scale = math.exp(made.log_scale.item())
    expected = student.logpdf(x, 5.0, torch.sigmoid(outputs), scale).sum(axis=(1, 2, 3))
    assert made.nll(outputs, x).tolist() == pytest.approx((-expected).tolist(), rel=1e-5)
    assert sigma == pytest.approx(student.std(5.0, 0, scale))


def constant(target, **options):
    made = ControlledKL(LogPI(), schedules.constant(target))
    return Recipe(objective=Elbo(), weighting=made, **options)


def beta(value):
    return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": schedules.constant(value)}))


class Own(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.f, self.layer = function, nn.Linear(3 * 64 * 64, 6)

    def forward(self, x):
        return self.layer(self.f(x.flatten(1)))


def pair(function):
    return Own(function), network((64, 64, 3), 3)[1]


OTHERS = {
    "schedule": ({"recipe": beta(1.0)}, {"recipe": beta(50.0)}),
    "target": ({"recipe": constant(1.0)}, {"recipe": constant(50.0)}),
    "rate": ({"recipe": constant(1.0)}, {"recipe": constant(1.0, weighting_lr=0.5)}),
    "likelihood": (
        {"recipe": constant(1.0, likelihood=Gaussian())},
        {"recipe": constant(1.0, likelihood=Bernoulli())},
    ),
    "function": ({"network": pair(torch.relu)}, {"network": pair(torch.tanh)}),
    "closure": ({"network": pair(lambda x: x)}, {"network": pair(lambda x: 2 * x)}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_objects_that_differ_in_a_function_or_a_setting_are_refused(array, tmp_path, case):
    first, second = OTHERS[case]
    name = next(iter(first))
    images = {"data": array} if name == "network" else {}
    train(config(), tmp_path, evaluation=FEW, **first, **images)
    with pytest.raises(ValueError, match=rf"objects\.{name}: "):
        train(config(steps=9), tmp_path, extend=True, **second, **images)
    with pytest.raises(ValueError, match=rf"`{name}` must be what .* was made with"):
        load_run(tmp_path, **second)
    train(config(steps=9), tmp_path, extend=True, evaluation=FEW, **first, **images)


class Odd(nn.Module):
    """An encoder or decoder that gives what a batch can't be trained on."""

    def __init__(self, make):
        super().__init__()
        self.make, self.layer = make, nn.Linear(3, 3 * 64 * 64)

    def forward(self, z):
        return self.make(self.layer(z).unflatten(1, (3, 64, 64)))


@pytest.mark.filterwarnings("default")  # of torch, about what is refused here
@pytest.mark.parametrize(
    "make",
    [lambda y: y.detach(), lambda y: y.long(), lambda y: (y, y), lambda y: y * 1j, lambda y: None],
    ids=["detached", "whole", "pair", "complex", "none"],
)
def test_what_cannot_be_trained_is_refused_before_the_folder_is_claimed(array, tmp_path, make):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 6))
    with pytest.raises((ValueError, TypeError), match="must"):
        train(config(), tmp_path / "run", data=array, network=(encoder, Odd(make)))
    assert not (tmp_path / "run").exists()


class Imaginary(nn.Module):
    def forward(self, x):
        return 1j * x.flatten(1)[:, :6]


def test_an_encoder_of_complex_numbers_is_refused():
    model = VAE(Imaginary(), nn.Identity(), Bernoulli())
    with pytest.raises(
        TypeError, match=r"`encoder` must return real numbers; got torch.complex64"
    ):
        model.encode(torch.rand(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_shape": (32, 32, 3)}, r"must give uint8 images of shape \(8, 32, 32, 3\)"),
        ({"images": lambda index: np.zeros((len(index), 32, 32, 1))}, "must give uint8 images"),
    ],
    ids=["channels", "floats"],
)
def test_a_data_set_that_gives_other_images_than_it_says_is_refused(tmp_path, changes, message):
    toy = replace(load_data("toy", DataOptions(image_size=32)), **changes)
    with pytest.raises(ValueError, match=message):
        train(config(), tmp_path / "run", data=toy)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"recipe": constant(1.0, weighting_lr=-1.0)},
            r"`weighting_lr` must be in \[0, 1\]; got -1",
        ),
        (
            {"recipe": constant(1.0, weighting_betas=(0.9, 1.0))},
            r"`weighting_betas` must be in \[0, 1\); got \(0.9, 1.0\)",
        ),
        ({"network": network((64, 64, 1), 4)}, r"must have the 3 latents of .*; got 4"),
        ({"callbacks": ["cvs"]}, r"`callbacks` has no 'cvs'.*Did you mean 'csv'"),
    ],
    ids=["rate", "betas", "latents", "callback"],
)
def test_wrong_objects_are_refused_before_the_folder_is_claimed(tmp_path, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train(config(), tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


class Ramp:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step):
        return min(1.0, step / self.steps)

    def at(self, step):
        return self(step)


LIKE = [
    (lambda x: torch.relu(x), lambda x: torch.tanh(x)),
    (lambda x: (lambda y: y + 1)(x), lambda x: (lambda y: y - 1)(x)),
    (Ramp(100), Ramp(200)),
    (Ramp(100).at, Ramp(200).at),
    (functools.partial(torch.add, alpha=1), functools.partial(torch.add, alpha=2)),
]


@pytest.mark.parametrize(
    ("first", "second"), LIKE, ids=["names", "inner", "state", "bound", "part"]
)
def test_functions_that_differ_are_known_apart(first, second):
    a, again, b = (_content(Own(function)) for function in (first, first, second))
    assert a == again != b


def test_callbacks_may_be_named(array, tmp_path):
    train(config(), tmp_path, data=array, network=network, callbacks=["csv"], evaluation=FEW)
    lines = (tmp_path / files.CURVES).read_text().splitlines()
    assert lines[0].startswith("step,loss,terms.reconstruction")
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4", "6"]


def test_a_recipe_without_a_kl_is_refused_before_the_folder_is_claimed(tmp_path):
    class Alone(Elbo):
        def forward(self, x, output):
            return {"reconstruction": super().forward(x, output)["reconstruction"]}

    made = Recipe(objective=Alone(), weighting=ScheduledWeights({}))
    with pytest.raises(ValueError, match="kl"):
        train(config(), tmp_path / "run", recipe=made)
    assert not (tmp_path / "run").exists()


@dataclass(slots=True)
class Small:
    rate: float


VALUES = [
    (np.float32(1.0), np.float32(100.0)),
    (np.longdouble(1.0), np.longdouble(2.0)),
    (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    (np.zeros(2), np.zeros((2, 1))),
    (np.array([None, 1]), np.array([None, 2])),
    (Path("a"), Path("b")),
    ({"a", "b"}, {"a", "c"}),
    (frozenset({1}), frozenset({2})),
    (Small(1.0), Small(2.0)),
    (range(3), range(4)),
    (1j, 2j),
    (torch.float32, torch.float64),
]


@pytest.mark.parametrize(("first", "second"), VALUES, ids=range(len(VALUES)))
def test_values_that_differ_are_known_apart(first, second):
    a, again, b = (_content(Ramp(value)) for value in (first, copy.deepcopy(first), second))
    assert a == again != b


@pytest.mark.whole
def test_sets_are_known_by_what_they_hold_in_any_order():
    code = "from autobeta.run.objects import _content; print(_content({'a', 'b', 'c', 'd'}))"
    found = set()
    for salt in "123":
        env = os.environ | {"PYTHONHASHSEED": salt}
        found.add(subprocess.check_output([sys.executable, "-c", code], env=env))
    assert len(found) == 1


def test_a_network_may_hold_its_own_methods_and_what_holds_it(array, tmp_path):
    class Own(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.layer, self.scale = nn.Linear(3 * 64 * 64, 6), scale
            self.head, self.back = self.scaled, [self]

        def scaled(self, h):
            return self.scale * h

        def forward(self, x):
            return self.head(self.layer(x.flatten(1)))

    def pair(scale):
        return Own(scale), network(SHAPE, 3)[1]

    assert _content(Own(1.0)) == _content(Own(1.0)) != _content(Own(2.0))
    train(config(steps=1), tmp_path, data=array, network=pair(1.0), evaluation=FEW)
    with pytest.raises(ValueError, match=r"objects\.network: "):
        train(config(steps=1), tmp_path, data=array, network=pair(2.0))


def test_images_that_are_not_the_runs_own_are_read_once(tmp_path, array):
    class Counted(Labelled):
        reads = 0

        def __getitem__(self, i):
            Counted.reads += 1
            return super().__getitem__(i)

    run = train(config(), tmp_path / "run", data=array, network=network, evaluation=FEW)
    assert len(encode(run, Counted(255 - array)).codes) == Counted.reads == 40
    assert len(encode(run, array).codes) == 40
    shutil.rmtree(tmp_path / "run")
    assert len(encode(run, array).codes) == 40
