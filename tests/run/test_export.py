"""Exported files give what torch gives, for any batch, and say what they hold."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import config as checks
from safetensors import safe_open
from torch import nn

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    cli,
    load_run,
    registry,
    train,
)
from autobeta.models import VAE
from autobeta.run import export as exporting
from autobeta.run import folder as files
from autobeta.run.explore import explore
from autobeta.run.export import export
from autobeta.run.load import Run
from autobeta.run.parts import decoder_output, parts_of

FEW = EvaluationConfig(num_points=9, metrics=())
PARTS = ["encoder", "decoder", "whole"]


def config(architecture="burgess", likelihood="bernoulli", steps=4):
    return RunConfig(
        method="vae",
        data="toy",
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture=architecture, num_latents=3, likelihood=likelihood),
        train=TrainConfig(steps=steps, batch_size=8, device="cpu", threads=1),
    )


def untrained(settings, shape=(32, 32, 1)):
    """A run that no folder holds."""
    model, latents = settings.model, settings.model.num_latents
    network = registry.load("models/networks", model.architecture)
    likelihood = registry.load("models/likelihoods", model.likelihood).build()
    vae = VAE(network.encoder(shape, latents), network.decoder(shape, latents), likelihood)
    return Run(Path("untrained"), settings, vae.eval(), shape, step=settings.train.steps)


def outputs_of(model, part, given):
    with torch.no_grad():
        if part == "decoder":
            return [model.decoder(given), model.decode(given)]
        posterior = model.encode(given)
        rest = [model.decode(posterior.mean)] if part == "whole" else []
        return [posterior.mean, posterior.logvar, *rest]


def batch_of(part, size=5, channels=1):
    return torch.randn(size, 3) if part == "decoder" else torch.rand(size, channels, 32, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    train(config(), out, evaluation=FEW)
    return out


@pytest.fixture(scope="module")
def model(folder):
    return load_run(folder, device="cpu").model


@pytest.fixture(scope="module")
def onnx_files(folder):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    checks.update("jaxtyping_disable", True)  # sizes are symbols while torch exports
    try:
        return {item.path.stem: item for item in export(folder, "onnx")}
    finally:
        checks.update("jaxtyping_disable", False)


def session_of(path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("part", PARTS)
def test_onnx_gives_what_torch_gives_for_a_batch_of_any_size(onnx_files, model, part):
    session, given = session_of(onnx_files[part].path), batch_of(part)
    found = session.run(None, {session.get_inputs()[0].name: given.numpy()})
    for ours, theirs in zip(outputs_of(model, part, given), found, strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-4, atol=1e-5)
    assert onnx_files[part].difference < exporting.TOLERANCE


def test_onnx_says_what_goes_in_and_what_comes_out(onnx_files, folder):
    session = session_of(onnx_files["decoder"].path)
    assert [item.name for item in session.get_outputs()] == ["outputs", "x_mean"]
    assert session.get_inputs()[0].shape == ["batch", 3]
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["image_shape"]) == [1, 32, 32]
    assert said["num_latents"] == "3"
    assert said["likelihood"] == "Bernoulli"
    assert said["decoder_output"] == "logits"
    assert "logits of the mean image" in json.loads(said["outputs"])["outputs"]
    whole = session_of(onnx_files["whole"].path).get_modelmeta().custom_metadata_map
    assert json.loads(whole["inputs"])["x"] == (
        "float32 (batch, 1, 32, 32), channels first; images / 255, so values in [0, 1]"
    )


def test_onnx_names_no_folder_of_this_machine(onnx_files):
    for item in onnx_files.values():
        content = item.path.read_bytes()
        assert b"site-packages" not in content
        assert b'.py"' not in content


@pytest.mark.usefixtures("unchecked")  # sizes are tensors while torch.jit traces
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_gives_what_torch_gives_and_says_what_it_is(folder, model, tmp_path):
    for item in export(folder, "torchscript", tmp_path):
        extra, part = {exporting.FACTS: ""}, item.path.stem
        loaded, given = torch.jit.load(item.path, _extra_files=extra), batch_of(part)
        torch.testing.assert_close([*loaded(given)], outputs_of(model, part, given))
        facts = json.loads(extra[exporting.FACTS])
        assert facts["part"] == part
        assert facts["image_shape"] == [1, 32, 32]
        assert (facts["step"], facts["steps"]) == (4, 4)


def test_safetensors_are_the_weights_under_their_names(folder, model, tmp_path):
    written = {item.path.stem: item.path for item in export(folder, "safetensors", tmp_path)}
    wanted = {"encoder": model.encoder, "decoder": model.decoder, "whole": model}
    for part, module in wanted.items():
        with safe_open(written[part], framework="pt") as file:
            facts = json.loads(file.metadata()["autobeta"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        torch.testing.assert_close(tensors, dict(module.state_dict()))
        assert (facts["part"], facts["num_latents"]) == (part, 3)


KINDS = {
    **dict.fromkeys(("gaussian", "laplace", "learnedsigma", "optimalsigma"), "mean"),
    "continuousbernoulli": "parameters",
}


@pytest.mark.parametrize("likelihood", registry.available("models/likelihoods"))
def test_what_is_said_of_the_decoders_output_is_true(likelihood):
    run = untrained(config("mlp", likelihood))
    kind = decoder_output(run.model.likelihood)
    assert kind == KINDS.get(likelihood, "logits")
    part = parts_of(run)["decoder"]
    outputs, x_mean = part.module(3 * part.example(4))
    if kind != "parameters":
        same = outputs.sigmoid() if kind == "logits" else outputs.clamp(0, 1)
        torch.testing.assert_close(x_mean, same)
    assert part.facts["decoder_output"] == kind


@pytest.mark.parametrize("likelihood", ["continuousbernoulli", "learnedsigma"])
@pytest.mark.usefixtures("unchecked")
def test_other_likelihoods_are_exported(likelihood, tmp_path):
    run = untrained(config("burgess", likelihood))
    assert [item.path.name for item in export(run, "torchscript", tmp_path)] == [
        *("encoder.pt", "decoder.pt", "whole.pt")
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("architecture", registry.available("models/networks"))
@pytest.mark.parametrize("likelihood", ["continuousbernoulli", "gaussian"])
def test_every_network_is_exported_to_onnx_in_colour(architecture, likelihood, tmp_path):
    pytest.importorskip("onnxruntime")
    run = untrained(config(architecture, likelihood), (32, 32, 3))
    found = export(run, "onnx", tmp_path)
    assert {item.path.stem for item in found} == {*PARTS}


@pytest.mark.usefixtures("unchecked")
def test_paths_may_be_texts(folder, tmp_path):
    [first, *_] = export(str(folder), "safetensors", str(tmp_path / "a"))
    assert first.path.parent == tmp_path / "a"
    assert explore([str(folder)], str(tmp_path / "page.html")) == tmp_path / "page.html"


def test_a_file_that_is_there_is_replaced_and_this_is_said(folder, tmp_path, capsys):
    command = ["export", str(folder), "--format", "safetensors", "--out", str(tmp_path / "a")]
    assert cli.main(command) == 0
    assert "replaced" not in capsys.readouterr().out
    (tmp_path / "a" / "encoder.safetensors").write_bytes(b"mine")
    (tmp_path / "a" / "whole.safetensors").unlink()
    assert cli.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("; the file that was there is replaced") for line in said[1:]] == [
        *(True, True, False)
    ]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        f"{part}.safetensors" for part in PARTS
    }


def test_files_go_into_the_run_folder_if_no_other_is_given(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    found = export(tmp_path / "run", "safetensors")
    assert {item.path.parent for item in found} == {tmp_path / "run" / "export"}
    before = (tmp_path / "run" / files.MODEL).read_bytes()
    export(tmp_path / "run", "safetensors", tmp_path / "run")
    assert (tmp_path / "run" / files.MODEL).read_bytes() == before


def test_a_folder_in_the_place_of_a_file_is_refused(folder, tmp_path):
    (tmp_path / "encoder.safetensors").mkdir()
    with pytest.raises(ValueError, match="`out` must be a file of its own; got the folder"):
        export(folder, "safetensors", tmp_path)


def test_a_runs_own_folders_and_files_are_no_place_for_exports(folder):
    with pytest.raises(ValueError, match=r"`out` must be a folder of its own; got the run's own"):
        export(folder, "safetensors", folder / files.CHECKPOINT)
    with pytest.raises(ValueError, match=r"`out` must be a folder of its own; got the file"):
        export(folder, "safetensors", folder / files.MODEL)


def test_an_unknown_format_is_refused(folder):
    with pytest.raises(ValueError, match="`format` must be one of onnx, torchscript, safetensors"):
        export(folder, "pickle")


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_is_named_with_its_extra(folder, library, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r'Run: pip install "autobeta\[onnx\]"'):
        export(folder, "onnx")
    assert cli.main(["export", str(folder), "--format", "onnx"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_run_that_is_not_finished_is_exported_as_it_is_and_says_so(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "run")
    stored = files.read_config(folder)
    stored["train"]["steps"] = 9
    files.write_json(tmp_path / "run" / files.CONFIG, stored)
    command = ["export", str(tmp_path / "run"), "--format", "safetensors"]
    assert cli.main(command) == 0
    assert "step 4 of 9, not finished" in capsys.readouterr().out
    for name in (files.MODEL, files.CHECKPOINT):
        path = tmp_path / "run" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "must hold a network; it has no model.safetensors" in said
    assert "Begin with `autobeta train --config" in said


def test_a_run_of_a_device_that_is_not_here_is_exported(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    stored = files.read_config(folder)
    stored["train"]["device"] = "cuda:7"
    files.write_json(tmp_path / "run" / files.CONFIG, stored)
    assert len(export(tmp_path / "run", "safetensors")) == 3


class OwnEncoder(nn.Module):
    """A network of a user, which may do what no file can express."""

    def __init__(self, act):
        super().__init__()
        self.layer, self.act = nn.Linear(1024, 6), act

    def forward(self, x):
        return self.act(self.layer(x.flatten(1)))


def own(act, folder):
    decoder = nn.Sequential(nn.Linear(3, 1024), nn.Unflatten(1, (1, 32, 32)))
    network = (OwnEncoder(act), decoder)
    train(config(steps=2), folder, network=network, evaluation=FEW)
    return network


@pytest.mark.usefixtures("unchecked")
def test_a_network_of_ones_own_is_asked_for_and_then_exported(tmp_path, capsys):
    network = own(torch.tanh, tmp_path / "run")
    command = ["export", str(tmp_path / "run"), "--format", "torchscript"]
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "`network` must be given: it is an object in this configuration" in said
    assert "as in load_run(folder, network=...)" in said
    run = load_run(tmp_path / "run", network=network, device="cpu")
    assert len(export(run, "torchscript")) == 3


def refusing(x):
    if torch.jit.is_tracing():
        raise NotImplementedError("no graph of this\nat all")
    return x


def batchwise(x):
    """What tracing takes for a constant."""
    return x + float(x.detach().numpy().shape[0])


@pytest.mark.usefixtures("unchecked")
def test_a_network_that_can_not_be_traced_is_refused_in_one_line(tmp_path):
    run = load_run(tmp_path / "run", network=own(refusing, tmp_path / "run"), device="cpu")
    message = "got NotImplementedError from its encoder: no graph of this. Export it as safet"
    with pytest.raises(ValueError, match=message) as caught:
        export(run, "torchscript")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run" / "export").exists()


@pytest.mark.usefixtures("unchecked")
def test_a_file_that_does_not_give_what_torch_gives_is_not_written(tmp_path):
    run = load_run(tmp_path / "run", network=own(batchwise, tmp_path / "run"), device="cpu")
    with pytest.raises(RuntimeError, match=r"`encoder.pt` must give what torch gives; its mean"):
        export(run, "torchscript")
    assert not (tmp_path / "run" / "export").exists()


class Averaging(nn.Module):
    """An encoder that averages, as every residual network does."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)
        )

    def forward(self, x):
        return self.layers(x - x.mean(dim=(1, 2, 3), keepdim=True))


@pytest.mark.usefixtures("unchecked")
def test_an_encoder_that_averages_is_exported_to_onnx_under_the_names_that_are_told(tmp_path):
    pytest.importorskip("onnxscript")
    network = (Averaging(), nn.Sequential(nn.Linear(3, 1024), nn.Unflatten(1, (1, 32, 32))))
    train(config(steps=2), tmp_path / "run", network=network, evaluation=FEW)
    run = load_run(tmp_path / "run", network=network, device="cpu")
    for path, *_ in export(run, "onnx"):
        names = tuple(output.name for output in session_of(path).get_outputs())
        assert names == parts_of(run)[path.stem].outputs


def noisy(x):
    """A size that is asked for with `len`, which a graph keeps."""
    return x + 0 * torch.randn(len(x), 6)


@pytest.mark.usefixtures("unchecked")
def test_a_branch_that_only_dark_images_take_is_found_out(tmp_path):
    class Dark(OwnEncoder):
        def forward(self, x):
            return super().forward(x) * (2.0 if bool(x.mean() < 0.3) else 1.0)

    network = (Dark(torch.tanh), nn.Sequential(nn.Linear(3, 1024), nn.Unflatten(1, (1, 32, 32))))
    train(config(steps=2), tmp_path / "run", network=network, evaluation=FEW)
    run = load_run(tmp_path / "run", network=network, device="cpu")
    with pytest.raises(RuntimeError, match=r"`encoder.pt` must give what torch gives"):
        export(run, "torchscript")


@pytest.mark.usefixtures("unchecked")
def test_a_file_that_takes_one_size_of_a_batch_alone_is_not_written(tmp_path):
    pytest.importorskip("onnxscript")
    run = load_run(tmp_path / "run", network=own(noisy, tmp_path / "run"), device="cpu")
    with pytest.raises(RuntimeError, match=r"`encoder.onnx` must take a batch of 1; got "):
        export(run, "onnx")
    assert not (tmp_path / "run" / "export").exists()
