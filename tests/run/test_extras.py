"""A run where the library of an extra is not installed: what is refused, and what is left out."""

import re
import sys

import pytest

from autobeta import EvaluationConfig, ModelConfig, RunConfig, TrainConfig, cli, evaluate, train
from autobeta.metrics import left_out
from autobeta.run import folder as files

INSTALL = re.escape('pip install "autobeta[lightgbm]"')
CONFIG = RunConfig(
    method="vae",
    data="toy",
    model=ModelConfig(architecture="mlp", num_latents=3),
    train=TrainConfig(steps=2, batch_size=8),
)


@pytest.fixture
def without_lightgbm(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    return monkeypatch


@pytest.mark.parametrize("metric", ["dci", "dci[lightgbm]", "probes"])
def test_a_metric_asked_for_by_name_is_refused_before_there_is_a_folder(
    metric, without_lightgbm, tmp_path
):
    asked = EvaluationConfig(num_points=100, metrics=("mig", metric))
    with pytest.raises(ImportError, match=INSTALL):
        train(CONFIG, tmp_path / "run", evaluation=asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.whole
def test_variants_that_need_no_library_are_not_refused(without_lightgbm, tmp_path):
    asked = EvaluationConfig(num_points=100, metrics=("dci[rf]",))
    run = train(CONFIG, tmp_path, evaluation=asked)
    found = files.read_metrics(run.folder / files.METRICS)
    assert (set(found["metrics"]), found["left_out"]) == ({"dci[rf]"}, {})


@pytest.mark.whole
def test_an_evaluation_keeps_what_it_left_out_until_the_library_is_there(
    without_lightgbm, tmp_path, capsys
):
    few = EvaluationConfig(num_points=200)
    with pytest.warns(UserWarning, match=rf"left out: dci\. .*{INSTALL}"):
        train(CONFIG, tmp_path, evaluation=few)
    found = files.read_metrics(tmp_path / files.METRICS)
    assert found["left_out"] == left_out()
    assert set(found["left_out"]) == {"dci[lightgbm]"}
    assert "dci[lightgbm]" not in found["metrics"]

    train(CONFIG, tmp_path, evaluation=few)  # no warning, since nothing more can be had
    evaluate(tmp_path, EvaluationConfig(num_points=200, metrics=("mcc",)))
    assert set(files.read_metrics(tmp_path / files.METRICS)["left_out"]) == {"dci[lightgbm]"}

    without_lightgbm.undo()
    before = found["metrics"]["mig[bins=20]"]
    train(CONFIG, tmp_path, evaluation=few)
    found = files.read_metrics(tmp_path / files.METRICS)
    assert found["left_out"] == {}
    assert {"dci[lightgbm]", "mcc[pearson]"} <= set(found["metrics"])
    assert found["metrics"]["mig[bins=20]"] == before


def test_the_command_line_prints_the_extra_in_place_of_a_traceback(
    without_lightgbm, tmp_path, capsys
):
    command = ["train", "vae", "--data", "toy", "--steps", "2", "--metrics", "dci"]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 1
    assert re.search(INSTALL, capsys.readouterr().err)
