"""Settings that few use: the smallest batch, one latent, colour, a reconstruction of weight 0."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from autobeta import (
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    cli,
    encode,
    evaluate,
    load_run,
    registry,
    train,
)
from autobeta.control import advice, tracking
from autobeta.methods import Facts, Recipe
from autobeta.models import VAE
from autobeta.objectives import Elbo
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.settings import DataOptions
from autobeta.training import fit
from autobeta.weighting import ScheduledWeights, effective_weights, schedules

METHODS = registry.listed("methods")
LIKELIHOODS = registry.listed("models/likelihoods")
FEW = EvaluationConfig(num_points=50, metrics=("gaussian_total_correlation",), num_pictures=2)
AS_THEY_ARE = DataOptions(image_size=None)
SMALLEST = {"betatcvae": 2, "dipvae": 2, "factorvae": 4, "infovae": 2}  # images count together
# what a short run is warned of is tested where it is said
pytestmark = pytest.mark.filterwarnings(
    "ignore:.* in a run of", "ignore:.*is a density with its constants", "ignore:.*brings its own"
)


def network(image_shape, num_latents):
    """A layer on either side."""
    height, width, channels = image_shape
    pixels = height * width * channels
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 2 * num_latents))
    decoder = nn.Linear(num_latents, pixels)
    return encoder, nn.Sequential(decoder, nn.Unflatten(1, (channels, height, width)))


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, (12, *shape), dtype=np.uint8)


def fitted(method, data, *, batch_size=4, **model):
    """The log of four steps on an array of images."""
    settings = TrainConfig(steps=5, batch_size=batch_size, log_every=1, device="cpu")
    model = ModelConfig(**model)
    config = RunConfig(method=method, model=model, train=settings, data_options=AS_THEY_ARE)
    return fit(build(config, Objects(data=data, network=network)).state, settings)


def is_finite(log):
    numbers = [n for row in log for n in (row["loss"], *row["terms"].values())]
    return all(math.isfinite(n) for n in numbers) and len(log) == 5


@pytest.mark.parametrize("method", METHODS)
def test_smallest_batch_trains_and_a_smaller_one_is_refused_with_the_reason(method):
    least = SMALLEST.get(method, 1)
    assert is_finite(fitted(method, images(8, 8, 1), batch_size=least))
    if least > 1:
        message = rf"at least {least} for {method}, which compares the images .* got {least - 1}\."
        with pytest.raises(ValueError, match=message):
            fitted(method, images(8, 8, 1), batch_size=least - 1)


@pytest.mark.parametrize("method", METHODS)
def test_one_latent_is_enough(method):
    log = fitted(method, images(8, 8, 1), num_latents=1)
    assert is_finite(log)
    assert len(log[0]["kl_per_latent"]) == 1


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("method", METHODS)
def test_colour_has_finite_terms_and_gradients_with_every_likelihood(method, likelihood):
    chosen = registry.load("models/likelihoods", likelihood).build()
    shape = (8, 8, 3)
    facts = Facts(num_latents=3, num_train=12, image_shape=shape, num_steps=100, likelihood=chosen)
    module = registry.load("methods", method)
    recipe = module.build(module.Config(), facts)
    model = VAE(*network(shape, 3), recipe.likelihood or chosen)
    x = torch.rand(4, 3, 8, 8)
    for step in (0, 60):
        terms = recipe.objective(x, model(x))
        loss = recipe.weighting(terms, step)
        for found in (loss, *terms.values(), *effective_weights(loss, terms).values()):
            assert torch.isfinite(found).all()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("architecture", registry.listed("models/networks"))
def test_images_of_every_usual_size_train_and_are_evaluated(
    architecture, size, channels, tmp_path
):
    config = RunConfig(
        data_options=AS_THEY_ARE,
        model=ModelConfig(architecture=architecture),
        train=TrainConfig(steps=2, batch_size=4, device="cpu"),
    )
    run = train(config, tmp_path, data=images(size, size, channels), evaluation=FEW)
    assert encode(run, run.dataset).codes.shape == (12, 10)


def no_reconstruction(facts):
    weights = {"reconstruction": schedules.constant(0.0)}
    return Recipe(objective=Elbo(), weighting=ScheduledWeights(weights))


def test_a_loss_without_the_reconstruction_has_no_beta_and_is_reported(tmp_path, capsys):
    settings = TrainConfig(steps=8, batch_size=4, log_every=1, device="cpu")
    config = RunConfig(train=settings, data_options=AS_THEY_ARE)
    given = {"data": images(16, 16, 1), "recipe": no_reconstruction, "network": network}
    train(config, tmp_path / "run", evaluation=FEW, **given)
    log = files.read_log(tmp_path / "run")
    assert [row["beta"] for row in log] == [None] * 8
    assert [row["weights"]["reconstruction"] for row in log] == [0.0] * 8
    page = str(tmp_path / "page.html")
    assert cli.main(["report", str(tmp_path / "run"), "--out", page]) == 0
    assert (tmp_path / "page.html").exists()


def test_a_set_point_in_a_loss_without_the_reconstruction_is_compared_all_the_same():
    lines = [
        {"step": step, "kl_average": 5.0, "target": 5.0, "beta": None} for step in range(1, 50)
    ]
    found = tracking(lines, beta_min=0.1, beta_max=10.0)
    assert (found.near, found.at_bound) == (1.0, 0.0)
    assert advice(found) == []


@pytest.fixture(scope="module")
def from_cuda(tmp_path_factory):
    """A run folder as another machine's: half trained, with a random state that is not here."""
    folder = tmp_path_factory.mktemp("cuda") / "run"
    config = RunConfig(
        method="vae",
        data="toy",
        model=ModelConfig(architecture="mlp"),
        train=TrainConfig(steps=2, batch_size=4, device="cpu"),
    )
    train(config, folder, evaluation=FEW)
    return folder


def moved(folder, device, steps=2):
    """Its configuration, with the device of another machine."""
    stored = files.read_config(folder)
    stored["train"] |= {"device": device, "steps": steps}
    files.write_json(folder / files.CONFIG, stored)
    return RunConfig.from_json(stored)


@pytest.mark.parametrize("device", ["cuda:3", "mps", "meta"])
def test_a_run_of_another_machine_is_evaluated_here(from_cuda, device):
    moved(from_cuda, device)
    run = load_run(from_cuda)
    assert next(run.model.parameters()).device.type in ("cpu", "cuda")
    assert evaluate(run, FEW)["step"] == 2


@pytest.mark.parametrize("device", ["cuda:97", "cuda:-1", "meta", "xpu", "cpu:0", ""])
def test_a_device_that_is_not_here_is_refused_with_a_way_out(from_cuda, device):
    config = moved(from_cuda, device)
    with pytest.raises(ValueError, match=r"`device` must be auto or one .* Take auto"):
        train(config, from_cuda, evaluation=FEW)
    with pytest.raises(ValueError, match=r"`device` must be auto or one .* Take auto"):
        load_run(from_cuda, device=device)


def test_a_run_of_another_machine_goes_on_here_when_it_is_asked_to(from_cuda, capsys):
    moved(from_cuda, "cuda:98")
    again = ["train", "--config", str(from_cuda / files.CONFIG), "--out", str(from_cuda)]
    assert cli.main(again) == 1
    assert "Take auto" in capsys.readouterr().err
    assert cli.main([*again, "--device", "auto", "--num-points", "50"]) == 0
    assert "is finished already" in capsys.readouterr().out
