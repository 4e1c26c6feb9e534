"""Run folders of version 0.1.0 (tests/reference/runs-0.1.0.md) resume, evaluate and report."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from autobeta import EvaluationConfig, RunConfig, cli, evaluate, load_run, train
from autobeta.run import folder as files
from autobeta.settings import identity

ARCHIVE = Path(__file__).parents[1] / "reference" / "runs-0.1.0.tar.xz"
METHODS = ("dynamicvae", "lvae")


@pytest.fixture
def legacy(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "legacy"


def test_a_run_stopped_by_an_earlier_version_resumes_as_if_it_had_not(legacy):
    stopped, whole = legacy / "lvae-unfinished", legacy / "lvae"
    config = RunConfig.from_json(files.read_config(stopped))
    few = EvaluationConfig(num_points=100, metrics=("mig",), num_pictures=4)
    train(config, stopped, evaluation=few)
    ours, theirs = (load_file(folder / files.MODEL) for folder in (stopped, whole))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():  # made on another processor, perhaps
        np.testing.assert_allclose(ours[name], tensor, rtol=1e-4, atol=1e-6)
    a, b = (files.read_log(folder) for folder in (stopped, whole))
    assert [row["step"] for row in a] == [row["step"] for row in b] == [2, 4, 6, 8, 10, 12]
    for key in ("loss", "kl_average", "beta"):
        assert [r[key] for r in a] == pytest.approx([r[key] for r in b], rel=1e-4, abs=1e-6)
    a, b = (
        files.read_metrics(folder / files.METRICS)["evaluation"]["train"]
        for folder in (stopped, whole)
    )
    assert a == pytest.approx(b, rel=1e-3, abs=1e-6)


def test_a_stopped_dynamicvae_goes_on_with_its_controller_and_the_set_point_of_today(legacy):
    stopped = legacy / "dynamicvae-unfinished"
    config = RunConfig.from_json(files.read_config(stopped))
    assert config.method_config.controller == "log"
    before = files.read_log(stopped)
    train(config, stopped, evaluation=EvaluationConfig(num_points=100, metrics=("mig",)))
    after = files.read_log(stopped)
    assert after[:3] == before[:3]  # up to the checkpoint
    assert [row["step"] for row in after] == [2, 4, 6, 8, 10, 12]
    assert all(np.isfinite(row["beta"]) for row in after)


@pytest.mark.parametrize("method", METHODS)
def test_a_finished_run_of_an_earlier_version_is_loaded_and_evaluated(legacy, method):
    folder = legacy / method
    run = load_run(folder)
    assert (run.step, run.config.method) == (12, method)
    before = files.read_metrics(folder / files.METRICS)
    found = evaluate(run, EvaluationConfig(num_points=100, metrics=("sap",), num_pictures=4))
    assert found["evaluation"]["train"] == pytest.approx(before["evaluation"]["train"], rel=1e-3)
    assert "sap" in files.read_metrics(folder / files.METRICS)["metrics"]


def test_the_likelihood_that_was_a_methods_setting_is_the_models_now(legacy):
    config = RunConfig.from_json(files.read_config(legacy / "lvae"))
    assert config.model.likelihood == "gaussian_logistic"  # as every mean was then
    assert load_run(legacy / "dynamicvae").config.model.likelihood == "bernoulli"


def test_a_finished_run_is_left_as_it_is(legacy):
    folder = legacy / "lvae"
    config = RunConfig.from_json(files.read_config(folder))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    train(config, folder, evaluation=EvaluationConfig(num_points=100, metrics=("mig",)))
    assert {p: p.read_bytes() for p in folder.iterdir() if p.name != files.LOCK} == before


@pytest.mark.whole
def test_runs_of_both_versions_have_one_identity(legacy, tmp_path):
    folder = legacy / "lvae"
    config = RunConfig.from_json(files.read_config(folder))
    again = train(config, tmp_path / "again", evaluation=EvaluationConfig(num_points=50))
    earlier, later = (identity(files.read_config(path)) for path in (folder, again.folder))
    fingerprint = later.pop("data.fingerprint")
    assert fingerprint
    assert earlier.pop("data.fingerprint", None) is None
    assert earlier == later


def test_earlier_and_later_runs_stand_in_one_report(legacy, tmp_path, capsys):
    runs = [legacy / name for name in (*METHODS, "lvae-unfinished")]
    out = tmp_path / "report.html"
    assert cli.main(["report", *map(str, runs), "--out", str(out)]) == 0
    assert "lvae" in out.read_text("utf-8")
    assert cli.main(["control", str(legacy / "dynamicvae")]) == 0
    assert cli.main(["traverse", str(legacy / "dynamicvae"), "--num-values", "3"]) == 0


@pytest.mark.parametrize(
    ("method", "former"),
    [
        ("geco", {"target": 60.0, "rate": 1e-4, "decay": 0.99, "max_change": 0.001}),
        ("annealedvae", {"gamma": 1000.0, "rising": 0.33}),
        ("dynamicvae", {"controller": "log"}),
        ("controlvae", {"controller": "positional", "rising": 0.9}),
        ("lvae", {"weight_optimizer": "adam", "beta_initial": 0.0}),
        ("factorvae", {}),
    ],
)
def test_settings_that_an_earlier_format_left_out_are_its_defaults_of_then(method, former):
    stored = {"method": method, "method_config": {}, "data": {"name": "toy"}, "model": {}}
    for found in (2, 3):
        config = RunConfig.from_json({**stored, "format": found, "train": {}}).method_config
        assert {name: getattr(config, name) for name in former} == former
    written = {**stored, "format": 3, "train": {}, "method_config": dict.fromkeys(former)}
    now = RunConfig.from_json({**stored, "format": 4, "train": {}}).method_config
    own = {name: getattr(now, name) for name in written["method_config"]}
    kept = RunConfig.from_json({**written, "method_config": own}).method_config
    assert kept == now
