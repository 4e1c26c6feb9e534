"""Folders and files of strangers: nothing in them leads out, commands, or ends in a trace."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    cli,
    train,
)
from autobeta.formats import upgraded
from autobeta.run import folder as files
from autobeta.run.out import spreadsheet_cell, write_out
from autobeta.study.table import to_csv
from autobeta.training.checkpoint import read_tensors, write_tensors

FEW = EvaluationConfig(num_points=40, metrics=("mig",), num_pictures=2)
ESCAPES = "\x1b]0;owned\x07\u202e[red]"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign") / "run"
    settings = {"device": "cpu", "threads": 1, "keep_best": True, "validate_every": 2}
    config = RunConfig(
        method="dynamicvae",
        data="toy",
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture="mlp", num_latents=3),
        train=TrainConfig(steps=4, batch_size=8, log_every=2, held_out=0.01, **settings),
    )
    train(config, folder, evaluation=FEW)
    return folder


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def told(capsys, *args):
    """Exit status and what was said of a command."""
    status = cli.main([*map(str, args)])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_a_link_inside_a_run_leads_no_output_out_of_it(run, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_text("precious")
    (run / "export").mkdir()
    (run / "pictures").mkdir(exist_ok=True)
    (run / "export" / "encoder.safetensors").symlink_to(mine)
    (run / "pictures" / "samples.png").symlink_to(mine)
    assert told(capsys, "export", run, "--format", "safetensors")[0] == 0
    assert told(capsys, "traverse", run, "--num-values", "2")[0] == 0
    assert mine.read_text() == "precious"
    assert not (run / "pictures" / "samples.png").is_symlink()
    shutil.rmtree(run / "pictures")
    (tmp_path / "elsewhere").mkdir()
    (run / "pictures").symlink_to(tmp_path / "elsewhere")
    status, said = told(capsys, "traverse", run, "--num-values", "2")
    assert status == 1
    assert "must not lie behind a link in the folder of a run" in said
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_a_users_own_link_is_written_through(run, tmp_path, capsys):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "shelf" / "report.html")
    assert told(capsys, "report", run, "--out", tmp_path / "link.html")[0] == 0
    assert (tmp_path / "shelf" / "report.html").exists()
    assert (tmp_path / "link.html").is_symlink()


def test_a_linked_checkpoint_is_written_into_nobodys_folder(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (run / "checkpoint.new").symlink_to(tmp_path / "elsewhere")
    stored = files.read_config(run)
    config = RunConfig.from_json(stored | {"train": stored["train"] | {"steps": 6}})
    assert train(config, run, extend=True, evaluation=FEW).step == 6
    assert not [*(tmp_path / "elsewhere").iterdir()]


@pytest.mark.parametrize(
    "name",
    ["checkpoint/training.safetensors", "checkpoint/notes.html", "best/model.safetensors"],
)
def test_the_inner_files_of_a_run_are_no_place_for_output(run, name):
    before = (run / name).read_bytes() if (run / name).exists() else None
    with pytest.raises(ValueError, match="`out` must be a file of its own; got the run's own"):
        write_out(run / name, lambda file: file.write(b"mine"))
    assert ((run / name).read_bytes() if (run / name).exists() else None) == before
    write_out(run / "best" / "page.html", lambda file: file.write(b"mine"))


def test_pictures_that_replace_others_are_said(run, tmp_path, capsys):
    (tmp_path / "samples.png").write_text("mine")
    said = told(capsys, "traverse", run, "--num-values", "2", "--out", tmp_path)[1].splitlines()
    assert [line for line in said if "replaced" in line] == [
        f"{tmp_path / 'samples.png'}; the file that was there is replaced"
    ]


def test_a_table_of_runs_has_no_formula():
    rows = [{"run": '=HYPERLINK("x")', "@score": 1.5, "python": "+cmd|' /C calc'!A0", "kl": -2.0}]
    assert to_csv(rows).decode() == (
        'run,\'@score,python,kl\n"\'=HYPERLINK(""x"")",1.5,\'+cmd|\' /C calc\'!A0,-2.0\n'
    )
    assert spreadsheet_cell(None) is None


@pytest.mark.filterwarnings("default")
def test_no_text_of_a_file_is_a_command_to_the_terminal(run, tmp_path, capsys):
    odd = {f"k{ESCAPES}\nautobeta: all is well": np.ones(3)}
    factors = np.arange(80).reshape(40, 2) % 4
    np.savez(tmp_path / "codes.npz", codes=factors + 0.0, factors=factors, **odd)
    said = told(capsys, "score", tmp_path / "codes.npz", "--metrics", "mig")[1]
    found = files.read_json(run / files.METRICS)
    found["metrics"][f"m{ESCAPES}"] = 0.5
    found["metrics"]["none"] = None
    (run / files.METRICS).write_text(json.dumps(found))
    said += told(capsys, "evaluate", run, "--num-points", "40", "--metrics", "mig")[1]
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert "\nautobeta: all is well" not in said
    assert "[red]" in said


@pytest.mark.parametrize(
    "facts",
    [
        {"objects": [1]},
        {"objects": "abc"},
        {"objects": {"network": [1]}},
        {"objects": {"network": {"fingerprint": "a"}}},
        {"control": [1]},
        {"control": "x"},
        {"control": {"beta_min": 10**400}},
        {"control": {"beta_min": "0.1"}},
        {"data": {"fingerprint": [1]}},
    ],
    ids=str,
)
def test_a_configuration_of_other_facts_is_refused_by_name(made, facts):
    stored = files.read_config(made)
    changed = stored | {k: v for k, v in facts.items() if k != "data"}
    changed["data"] = stored["data"] | facts.get("data", {})
    with pytest.raises(ValueError, match="a configuration must have no such"):
        upgraded(changed)
    assert upgraded(stored) == stored


@pytest.mark.parametrize("step", ["7", 10**30, -1, None, 2.5])
def test_a_step_that_is_none_is_refused_where_the_network_is_read(run, step, capsys):
    tensors = read_tensors(run / files.BEST / files.MODEL)
    write_tensors(
        run / files.BEST / files.MODEL, tensors, **({} if step is None else {"step": step})
    )
    status, said = told(capsys, "evaluate", run, "--best", "--num-points", "40")
    assert status == 1
    assert "must hold the step of a network; got" in said


def test_a_network_of_nan_is_refused(run, capsys):
    tensors = read_tensors(run / files.MODEL)
    name = next(iter(tensors))
    save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, run / files.MODEL)
    status, said = told(capsys, "traverse", run, "--num-values", "2")
    assert status == 1
    assert "must hold a network; got NaN or infinity in " in said


@pytest.mark.parametrize("command", ["explore", "traverse"])
@pytest.mark.parametrize("kind", ["flat", "none", "nan", "rows"])
def test_codes_of_another_shape_are_named_with_their_file(run, command, kind, capsys, tmp_path):
    found = files.read_npz(run / files.REPRESENTATION)
    codes = found["codes"]
    found["codes"] = {
        "flat": codes[:, 0],
        "none": codes[:0],
        "nan": codes * np.nan,
        "rows": codes[1:],
    }[kind]
    np.savez(run / files.REPRESENTATION, **found)
    out = tmp_path / ("page.html" if command == "explore" else "pictures")
    status, said = told(capsys, command, run, "--out", out)
    assert status == 1
    assert "representation.npz` must have finite codes and logvars, a row for each" in said


@pytest.mark.parametrize("value", [5, [3], [[]]])
@pytest.mark.parametrize("name", ["asked", "left_out"])
def test_metrics_of_another_shape_are_named_with_their_file(run, name, value, capsys):
    found = files.read_json(run / files.METRICS) | {name: value}
    (run / files.METRICS).write_text(json.dumps(found))
    status, said = told(capsys, "evaluate", run, "--num-points", "40", "--metrics", "mig")
    assert status == 1
    assert "metrics.json` must have losses and scores: " in said


def test_an_array_that_claims_many_names_is_refused_before_they_are_read(tmp_path, capsys, run):
    images = np.zeros((30, 8, 8), np.uint8)
    names = np.lib.stride_tricks.as_strided(np.zeros(1), (10**9, 0), (0, 0))
    for odd in (names, np.array([["a"]]), np.array(["a", "b"])):
        np.savez(
            tmp_path / "x.npz", images=images, factors=np.arange(30)[:, None], factor_names=odd
        )
        status, said = told(capsys, "encode", run, "--data", tmp_path / "x.npz", "--out", "c.npz")
        assert status == 1
        assert "`factor_names` must name 1 factors; got " in said


def test_an_argument_is_not_empty(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for args in (["train", "vae", "--data", "", "--out", "x"], ["train", "vae", "--out="]):
        status, said = told(capsys, *args)
        assert status == 2
        assert "an argument must not be empty; got one after `train vae --" in said
    with pytest.raises(ValueError, match="`data` must be a name or a path; got ''"):
        RunConfig(method="vae", data="")
    assert not [*tmp_path.iterdir()]


def test_a_mistyped_data_set_is_suggested_where_it_is_trained_on(capsys, tmp_path):
    status, said = told(capsys, "train", "vae", "--data", "dsprite", "--out", tmp_path / "run")
    assert status == 1
    assert "Did you mean the data set 'dsprites'?" in said


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_place_that_can_not_be_written_is_named(run, tmp_path, capsys, monkeypatch, number):
    def refused(path, mode="r", *args, **kwargs):
        if "w" in mode:
            raise OSError(number, os.strerror(number), str(path))
        return whole(path, mode, *args, **kwargs)

    whole = Path.open
    monkeypatch.setattr(Path, "open", refused)
    status, said = told(capsys, "report", run, "--out", tmp_path / "report.html")
    assert status == 1
    assert f"report.html` must be where files can be written; got {os.strerror(number)}" in said
