"""What a page of `autobeta explore` holds, read back without a browser."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from autobeta import (
    EvaluationConfig,
    RunConfig,
    TrainConfig,
    cli,
    encode,
    load_run,
    registry,
    train,
)
from autobeta.data import load_data
from autobeta.models import VAE, AbstractLikelihood, Bernoulli, ContinuousBernoulli, Gaussian
from autobeta.reports import explorer, load_runs
from autobeta.reports.explorer import ExploredRun
from autobeta.run.explore import NUM_IMAGES, _told, explore, page_precision
from autobeta.run.layers import page_layers, page_link
from autobeta.settings import ModelConfig


def page_data(page):
    """The JSON of a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"))[1])


def weights_of(run):
    kind = {"float16": "<f2", "float32": "<f4"}[run["precision"]]
    return np.frombuffer(base64.b64decode(run["weights"]), dtype=kind)


def decoded(layers, weights, z):
    """The layers of a page, computed by NumPy from their definition: one code to one output."""
    values, place = np.asarray(z, np.float64), 0

    def take(*shape):
        nonlocal place
        part = weights[place : place + int(np.prod(shape))].astype(np.float64)
        place += part.size
        return part.reshape(shape)

    for layer in layers:
        if layer["kind"] == "linear":
            weight = take(layer["inputs"], layer["outputs"])
            values = values @ weight + take(layer["outputs"])
        elif layer["kind"] == "transposed":
            weight = take(*layer["kernel"], layer["inputs"], layer["outputs"])
            values = transposed(values, weight, layer) + take(layer["outputs"])
        elif layer["kind"] == "unflatten":
            values = values.reshape(layer["shape"]).transpose(1, 2, 0)
        else:
            values = {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh}[layer["kind"]](values)
    assert place == len(weights)
    return values


def transposed(values, weight, layer):
    (high, wide), (sy, sx), (py, px) = layer["kernel"], layer["stride"], layer["padding"]
    height, width = values.shape[:2]
    full = np.zeros(((height - 1) * sy + high, (width - 1) * sx + wide, layer["outputs"]))
    for y in range(height):
        for x in range(width):
            full[y * sy : y * sy + high, x * sx : x * sx + wide] += values[y, x] @ weight
    return full[py : full.shape[0] - py, px : full.shape[1] - px]


SHAPE, LATENTS = (64, 64, 3), 5


def scaled(decoder, factor):
    """A decoder with larger weights, so that its images have black and white."""
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(factor)
    return decoder


@pytest.mark.parametrize("network", registry.available("models/networks"))
def test_layers_of_a_page_decode_as_the_network(network):
    decoder = scaled(registry.load("models/networks", network).decoder(SHAPE, LATENTS), 1.2)
    layers = page_layers(decoder)
    weights = np.concatenate(
        [a.ravel() for layer in layers for a in (layer.weight, layer.bias) if a is not None]
    )
    z = torch.randn(LATENTS)
    with torch.no_grad():
        expected = decoder(z[None])[0].permute(1, 2, 0).numpy()
    found = decoded([{"kind": layer.kind, **layer.facts} for layer in layers], weights, z)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def settings(steps=3, **changes):
    model = ModelConfig(architecture="burgess", num_latents=LATENTS)
    usual = TrainConfig(steps=steps, batch_size=16, device="cpu", threads=1)
    return RunConfig(method="vae", data="toy", model=model, train=replace(usual, **changes))


FEW = EvaluationConfig(num_points=300, metrics=())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        train(settings(seed=seed), folder / f"seed{seed}", evaluation=FEW)
    return [folder / "seed0", folder / "seed1"]


def test_a_page_has_the_codes_of_images_and_what_each_latent_tells(runs, tmp_path):
    found = page_data(explore(runs, tmp_path / "page.html", data="toy"))
    toy, (strip,) = load_data("toy"), found["strips"]
    files = [io.BytesIO(base64.b64decode(uri.partition(",")[2])) for uri in strip]
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    assert len({image.tobytes() for image in images}) == NUM_IMAGES
    for folder, run in zip(runs, found["runs"], strict=True):
        np.testing.assert_allclose(run["codes"], encode(folder, images).codes, atol=1e-4)
        kl = [latent["kl"] for latent in run["latents"]]
        assert kl == sorted(kl, reverse=True)
        assert {latent["latent"] for latent in run["latents"]} == set(range(LATENTS))
        named = {name for latent in run["latents"] for name, _ in latent["tells"]}
        assert named <= set(toy.factor_space.names)
        assert all(latent["reach"] >= 3 for latent in run["latents"])
        assert np.abs(run["codes"]).max() <= max(latent["reach"] for latent in run["latents"])


def test_a_latent_is_said_to_change_what_its_code_depends_on(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    with np.load(run / "representation.npz") as kept:
        arrays = dict(kept)
    arrays["codes"][:, 3] = arrays["factors"][:, 2]
    for factors, name in ((arrays["factors"], "size"), (arrays["factors"][:, 1:3], "factor 1")):
        np.savez(run / "representation.npz", **arrays | {"factors": factors})
        (found,) = page_data(explore([run], tmp_path / "page.html"))["runs"]
        told = {latent["latent"]: latent["tells"] for latent in found["latents"]}
        assert told[3][0] == [name, pytest.approx(1, abs=0.1)]


def test_without_its_data_a_run_shows_the_images_of_its_evaluation(tmp_path):
    photos = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 1), np.uint8)
    np.savez(tmp_path / "photos.npz", images=photos)
    config = replace(settings(), data=str(tmp_path / "photos.npz"))
    run = tmp_path / "run"
    train(config, run, evaluation=FEW)
    (tmp_path / "photos.npz").rename(tmp_path / "moved.npz")
    (strip,) = page_data(explore([run], tmp_path / "a.html"))["strips"]
    assert len(strip) == len(np.load(run / "reconstructions.npz")["originals"])
    held_out = load_run(run).open(tmp_path / "moved.npz").splits["test"]
    there = page_data(explore([run], tmp_path / "b.html", data=tmp_path / "moved.npz"))
    assert len(there["strips"][0]) == min(NUM_IMAGES, len(held_out))
    assert there["runs"][0]["latents"][0]["tells"] == []
    (run / "reconstructions.npz").unlink()
    with pytest.raises(FileNotFoundError, match="Say where they lie now by --data PLACE"):
        explore([run], tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()


def test_the_command_writes_a_page_and_prints_its_name(runs, tmp_path, capsys):
    out = tmp_path / "explorer.html"
    assert cli.main(["explore", *map(str, runs), str(runs[0]), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    page = out.read_text("utf-8")
    assert len(page_data(out)["runs"]) == 2, "a run given twice is shown once"
    for reference in re.findall(r"""(?:src|href)=["']([^"']*)""", page):
        assert reference.startswith(("data:", "#")), f"the page needs {reference}"
    assert "default-src 'none'" in page
    assert cli.main(["explore", str(tmp_path), "--out", str(out)]) == 1
    assert "must be a run folder" in capsys.readouterr().err
    assert cli.main(["explore", str(runs[0]), "--out", str(tmp_path)]) == 1
    assert "`out` must be a file" in capsys.readouterr().err


def test_an_unfinished_run_shows_the_network_of_its_checkpoint(runs, tmp_path):
    shutil.copytree(runs[0], tmp_path / "run")
    for name in ("model.safetensors", "metrics.json", "representation.npz"):
        (tmp_path / "run" / name).unlink()
    (found,) = page_data(explore([tmp_path / "run"], tmp_path / "page.html"))["runs"]
    np.testing.assert_array_equal(weights_of(found), weights_of(page_run(runs[0], tmp_path)))


def page_run(run, folder):
    return page_data(explore([run], folder / "other.html"))["runs"][0]


class Stack(nn.Sequential):
    """A subclass, which may compute something else."""


STEM = (nn.Linear(LATENTS, 12), nn.Unflatten(1, (3, 2, 2)))
FLAT = (STEM[0], nn.Unflatten(1, (3, 4)))
IN_GROUPS = nn.ConvTranspose2d(3, 3, 2, groups=3)


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ((*STEM, nn.Sequential(nn.Upsample(scale_factor=2))), r"Upsample.* as `decoder\.2\.0`"),
        ((Stack(*STEM),), r"Stack.* as `decoder\.0`"),
        ((*STEM, nn.Linear(2, 2)), r"Linear\(in_features=2.* as `decoder\.2`"),
        ((*STEM, IN_GROUPS), r"groups=3.* as `decoder\.2`"),
        (FLAT, r"Unflatten.* as `decoder\.1`"),
    ],
)
def test_a_layer_that_the_page_does_not_know_is_refused_by_name(layers, named):
    with pytest.raises(ValueError, match=rf"(?s)`decoder` must be .*{named}.*autobeta traverse"):
        page_layers(nn.Sequential(*layers))


class Squared(AbstractLikelihood):
    def __init__(self):
        super().__init__()
        self.link = torch.square

    def nll(self, outputs, x):
        return (outputs - x).square().sum(dim=(1, 2, 3))


def test_links_are_known_by_name_and_others_refused():
    assert page_link(Bernoulli()) == page_link(Gaussian(mean="logistic")) == "logistic"
    assert page_link(Gaussian()) == "linear"
    assert page_link(ContinuousBernoulli()) == "continuous_bernoulli"
    with pytest.raises(ValueError, match=r"`likelihood` must have a mean .* got that of Squared"):
        page_link(Squared())


def test_images_of_two_channels_are_refused(runs, tmp_path):
    run = replace(load_run(runs[0]), image_shape=(64, 64, 2))
    with pytest.raises(ValueError, match=r"`runs` must have images with 1 or 3 channels; got 2"):
        explore([run], tmp_path / "page.html")


def test_originals_of_another_shape_are_refused(runs, tmp_path):
    run = load_run(runs[0])
    other = replace(run, image_shape=(32, 32, 1))
    with pytest.raises(
        ValueError, match=r"originals of shape \(32, 32, 1\), uint8; got \(64, 64, 1\)"
    ):
        explore([other], tmp_path / "page.html")


def test_weights_are_kept_as_far_as_the_pixels_need_them():
    network = registry.load("models/networks", "burgess")
    encoder, decoder = (make(SHAPE, LATENTS) for make in (network.encoder, network.decoder))
    codes = np.random.default_rng(0).normal(size=(8, LATENTS)).astype(np.float32)
    model = VAE(encoder, decoder, Bernoulli())
    assert page_precision(model, codes) == "float16"
    scaled(decoder, 3)
    assert page_precision(model, codes) == "float32", "images with sharp edges need more digits"
    scaled(decoder, 1e6)
    assert page_precision(model, codes) == "float32", "float16 has no such large numbers"


@pytest.mark.parametrize("network", ["burgess", "conv64"])
def test_a_decoder_takes_at_most_four_megabytes(network):
    decoder = registry.load("models/networks", network).decoder((64, 64, 3), 32)
    assert sum(p.numel() for p in decoder.parameters()) * 4 * 4 / 3 < 4e6, "even as float32"


def test_the_pages_own_code_is_small_and_names_no_address():
    sources = [Path(explorer.__file__).with_name(n) for n in (*explorer.STYLES, *explorer.SCRIPTS)]
    text = "".join(path.read_text("utf-8") for path in sources)
    assert len(text.encode()) < 60_000
    assert "http" not in text


def test_no_name_ends_the_script_that_it_stands_in(runs, tmp_path):
    record = replace(load_runs(runs[:1])[0], name="</script><b>&amp;<!--", label="\u2028<i>")
    model = load_run(runs[0]).model
    run = ExploredRun(
        record=record,
        image_shape=(64, 64, 1),
        layers=page_layers(model.decoder),
        link="logistic",
        precision="float32",
        kl=np.zeros(LATENTS),
        active=np.zeros(LATENTS, bool),
        reach=np.zeros(LATENTS),
        shares=np.ones((LATENTS, 1)),
        factor_names=["</script><u>"],
        originals=np.zeros((1, 64, 64, 1), np.uint8),
        codes=np.zeros((1, LATENTS)),
    )
    page = explorer.write_explorer([run], tmp_path / "page.html")
    text = page.read_text("utf-8")
    assert text.count("</script>") == 2
    for tag in ("<b>", "<i>", "<u>", "<!--"):
        assert tag not in text
    (found,) = page_data(page)["runs"]
    assert found["name"] == record.name
    assert found["latents"][0]["tells"] == [["</script><u>", 1.0]]


def test_a_factor_of_too_many_values_for_the_sample_tells_nothing():
    codes = np.random.default_rng(0).normal(size=(9, 3))
    assert _told(codes, np.arange(9)[:, None]).tolist() == [[0], [0], [0]]
    told = _told(
        np.repeat([[0.0, 1.0], [1.0, 1.0]], 50, axis=0), np.repeat([[0], [1]], 50, axis=0)
    )
    assert told[0] > 0.9 > told[1]
