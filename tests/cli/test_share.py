"""`autobeta export` and `autobeta push`: what they print, and one line for what is wrong."""

import pytest

from autobeta import EvaluationConfig, ModelConfig, RunConfig, TrainConfig, cli, train
from autobeta.run import folder as files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = TrainConfig(steps=2, batch_size=8, device="cpu", threads=1)
    model = ModelConfig(architecture="burgess", num_latents=3)
    config = RunConfig(method="vae", data="toy", model=model, train=settings)
    train(config, folder, evaluation=EvaluationConfig(num_points=9, metrics=()))
    return folder


def error(capsys, *args):
    assert cli.main([str(arg) for arg in args]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    return said[0]


def test_export_tells_of_each_file(run, tmp_path, capsys):
    command = ["export", str(run), "--format", "safetensors", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{run}: step 2",
        *(
            f"{tmp_path / part}.safetensors: differs from torch by at most 0"
            for part in ("encoder", "decoder", "whole")
        ),
    ]


@pytest.mark.parametrize("flags", [[], ["--format", "pickle"]])
def test_export_without_a_known_format_is_bad_usage(run, flags):
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", str(run), *flags])
    assert stop.value.code == 2


@pytest.mark.parametrize("command", [["export", "--format", "onnx"], ["push", "me/vae"]])
def test_a_folder_without_a_run_is_named(command, tmp_path, capsys):
    said = error(capsys, command[0], tmp_path, *command[1:])
    assert f"`{tmp_path}` must be a run folder; it has no config.json" in said


def test_push_refuses_what_is_no_repository_before_it_asks_for_anything(run, capsys):
    said = error(capsys, "push", run, "hf://me/vae")
    assert "`repo` must be OWNER/NAME" in said
    assert "such as me/dynamicvae-dsprites" in said


def test_a_damaged_run_is_not_pushed(run, tmp_path, capsys):
    for name in (files.CONFIG, files.MODEL):
        (tmp_path / name).write_bytes((run / name).read_bytes()[:-9])
    (tmp_path / files.CONFIG).write_bytes((run / files.CONFIG).read_bytes())
    assert "must be a whole safetensors file" in error(capsys, "push", tmp_path, "me/vae")


def test_a_place_on_the_hub_that_is_badly_written_is_refused(tmp_path, capsys):
    said = error(capsys, "encode", "hf://vae", "--data", "toy", "--out", tmp_path / "codes.npz")
    assert "`repo` must be OWNER/NAME, each of letters, digits" in said
    assert "got 'vae'" in said
