"""The main job through the command line: train, evaluate, encode, traverse, report, score."""

import io
import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from autobeta import RunConfig, cli, encode, load_run, registry, suggest
from autobeta.cli.study import StudyFlags, _definition, _progress_table
from autobeta.data import load_data
from autobeta.errors import InterruptedRunError
from autobeta.metrics import INTERVALS_COVER
from autobeta.run import folder as runs
from autobeta.run.encode import dataset_for
from autobeta.settings import OBJECT
from autobeta.study.grid import plan
from autobeta.study.progress import RunProgress
from autobeta.training.checkpoint import write_tensors

SMALL = [
    *("--data", "toy", "--image-size", "32", "--architecture", "burgess", "--batch-size", "8"),
    *("--steps", "12", "--log-every", "4", "--num-points", "120", "--metrics", "mig", "sap"),
]


def call(*args):
    return cli.main([str(a) for a in args])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "dynamicvae"
    assert call("train", "dynamicvae", *SMALL, "--out", folder, "--method.target", "5") == 0
    return folder


def test_run_leaves_what_the_documents_say(run):
    names = {p.name for p in run.iterdir()}
    assert names == {
        *(runs.CONFIG, runs.ENVIRONMENT, runs.LOG, runs.TIMING, runs.CHECKPOINT, runs.MODEL),
        *(runs.REPRESENTATION, runs.RECONSTRUCTIONS, runs.TRAVERSALS, runs.METRICS, runs.LOCK),
    }
    config = runs.read_config(run)
    assert config["method_config"]["target"] == 5.0
    assert config["data"]["name"] == "toy"
    assert config["data"]["source"].startswith("rendered")
    metrics = runs.read_json(run / runs.METRICS)
    assert metrics["metrics"].keys() == {"mig[bins=20]", "sap"}
    assert len(metrics["kl_per_latent"]) == 10
    arrays = runs.read_npz(run / runs.REPRESENTATION)
    assert arrays["codes"].shape == arrays["logvars"].shape == (120, 10)
    assert arrays["factors"].shape[0] == 120


def test_finished_run_does_nothing_and_says_so(run, capsys):
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    assert call("train", "dynamicvae", *SMALL, "--out", run, "--method.target", "5") == 0
    assert "is finished already; it was not trained again" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


@pytest.mark.whole
def test_config_of_a_run_is_accepted_back(run, tmp_path):
    assert call("train", "--config", run / runs.CONFIG, "--out", tmp_path / "again") == 0
    ours, theirs = (f / runs.MODEL for f in (run, tmp_path / "again"))
    assert ours.read_bytes() == theirs.read_bytes()
    assert (run / runs.LOG).read_text() == (tmp_path / "again" / runs.LOG).read_text()


def test_another_configuration_is_refused(run, capsys):
    assert call("train", "dynamicvae", *SMALL, "--out", run, "--method.target", "6") == 1
    error = capsys.readouterr().err
    assert "method_config.target: 5.0 there, 6.0 asked for" in error
    assert "Choose another folder" in error


@pytest.mark.whole
def test_more_steps_need_to_be_asked_for_by_name(tmp_path, capsys):
    args = ["train", "vae", *SMALL, "--out", tmp_path / "run"]
    assert call(*args) == 0
    assert call(*args, "--steps", "16") == 1
    assert "use --extend to train it longer" in capsys.readouterr().err
    assert call(*args, "--steps", "16", "--extend") == 0
    assert runs.read_jsonl(tmp_path / "run" / runs.LOG)[-1]["step"] == 16
    own = ("--config", tmp_path / "run" / runs.CONFIG, "--out", tmp_path / "run")
    assert call("train", *own, "--steps", "20") == 1
    assert call("train", *own, "--steps", "20", "--extend") == 0
    assert call("train", "vae", *SMALL, "--steps", "20", "--out", tmp_path / "whole") == 0
    ours, theirs = (tmp_path / n / runs.MODEL for n in ("run", "whole"))
    assert ours.read_bytes() == theirs.read_bytes()


def test_folder_with_other_files_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert call("train", "vae", *SMALL, "--out", tmp_path) == 1
    assert "must be a new folder or a run folder" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_writes_a_checkpoint_and_says_how_to_go_on(tmp_path, capsys, number, code):
    folder = tmp_path / "run"

    def stop():
        while not runs.read_jsonl(folder / runs.LOG):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop, daemon=True).start()
    endless = [*SMALL, "--steps", "100000", "--logger", "csv"]
    assert call("train", "vae", *endless, "--out", folder) == code
    again = f"autobeta train --config {folder / runs.CONFIG} --out {folder} --num-points 120"
    assert f"{again} --metrics mig sap --logger csv" in capsys.readouterr().err
    assert runs.read_json(folder / runs.CHECKPOINT / "state.json")["step"] > 0


def test_curves_go_to_all_loggers_that_are_named(tmp_path, capsys):
    wrong = call("train", "vae", *SMALL, "--out", tmp_path / "run", "--logger", "tensorbord")
    assert wrong == 1
    assert "Did you mean 'tensorboard'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    named = ["--logger", "csv", "tensorboard", "csv"]
    assert call("train", "vae", *SMALL, "--out", tmp_path / "run", *named) == 0
    assert len([*(tmp_path / "run" / runs.TENSORBOARD).iterdir()]) == 1
    assert len((tmp_path / "run" / runs.CURVES).read_text().splitlines()) == 4


@pytest.mark.whole
def test_a_watched_run_ends_early_and_its_best_network_is_evaluated(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    found = {4: -1.0, 8: -2.0}
    monkeypatch.setattr(
        "autobeta.training.validation.validate",
        lambda state, config: {"step": state.step, "elbo": found[state.step]},
    )
    watched = ["--held-out", "0.01", "--validate-every", "4", "--keep-best", "--patience", "1"]
    watched += ["--lr-schedule", "cosine", "--lr-warmup", "2", "--clip-grad", "5"]
    args = [*SMALL, *watched, "--pictures-every", "8"]
    assert call("train", "vae", *args, "--out", folder) == 0
    assert "is finished, stopped early at step 8 of 12." in capsys.readouterr().out
    assert len([*(folder / runs.PICTURES).iterdir()]) == 2
    assert call("train", "--config", folder / runs.CONFIG, "--out", folder) == 0
    assert "is finished already" in capsys.readouterr().out
    assert call("evaluate", folder, "--best", "--num-points", "120", "--metrics", "mig") == 0
    assert "step 4, the best on held-out images" in capsys.readouterr().out
    assert runs.read_metrics(folder / runs.BEST / runs.METRICS)["step"] == 4


def test_evaluate_keeps_the_run_and_scores_what_is_asked_for(run, capsys):
    before = runs.read_npz(run / runs.REPRESENTATION)
    assert call("evaluate", run, "--metrics", "modularity", "--num-points", "120") == 0
    assert "modularity" in capsys.readouterr().out
    metrics = runs.read_json(run / runs.METRICS)["metrics"]
    assert metrics.keys() == {"mig[bins=20]", "sap", "modularity[bins=20]"}  # earlier ones stay
    after = runs.read_npz(run / runs.REPRESENTATION)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_encode_writes_codes_and_factors(run, tmp_path, capsys):
    out = tmp_path / "codes.npz"
    assert call("encode", run, "--data", "toy", "--out", out, "--num-points", "90") == 0
    arrays = runs.read_npz(out)
    assert arrays["codes"].shape == (90, 10)
    assert arrays["factors"].shape[0] == 90
    assert "90 codes of 10 latents" in capsys.readouterr().out


def test_encode_refuses_data_whose_channels_are_others_than_the_runs(run, tmp_path, capsys):
    assert call("encode", run, "--data", "scenes3d", "--out", tmp_path / "codes.npz") == 1
    said = capsys.readouterr().err
    assert "`data` must have images with 1 channels, as in the training; got scenes3d" in said


def test_encode_takes_a_folder_of_images(run, tmp_path):
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 255, (40, 50), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    out = tmp_path / "out" / "codes.npz"
    assert call("encode", run, "--data", tmp_path, "--out", out) == 0
    arrays = runs.read_npz(out)
    assert arrays["codes"].shape == (3, 10)
    assert "factors" not in arrays


def test_encode_brings_images_to_the_shape_of_the_training(run):
    assert encode(run, np.zeros((2, 64, 50, 3), np.uint8)).codes.shape == (2, 10)
    with pytest.raises(ValueError, match=r"must have images of shape \(32, 32, 1\)"):
        encode(run, load_data("toy"))


def test_encode_in_python_equals_the_stored_codes(run):
    stored = runs.read_npz(run / runs.REPRESENTATION)
    images = load_data("toy", RunConfig.from_json(runs.read_config(run)).data_options).images(
        stored["index"][:5]
    )
    codes = encode(run, images).codes
    np.testing.assert_allclose(codes, stored["codes"][:5], atol=1e-5)


def test_traverse_draws_grid_gif_and_samples(run, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    assert call("traverse", run, "--out", tmp_path / "a", "--num-values", "3") == 0
    assert {p.name for p in (tmp_path / "a").iterdir()} == {
        *("traversal.png", "traversal.gif", "samples.png"),
    }
    image = tmp_path / "mine.png"
    assert call("traverse", run, "--image", image, "--out", tmp_path / "b") == 0
    assert "traversal-0-mine.gif" in capsys.readouterr().out


def test_report_is_one_file_without_a_network(run, tmp_path, capsys):
    assert call("report", run, "--out", tmp_path / "report.html") == 0
    assert str(tmp_path / "report.html") in capsys.readouterr().out
    text = (tmp_path / "report.html").read_text()
    assert "dynamicvae" in text
    assert not re.search(r'(src|href)="http', text)


@pytest.mark.whole
def test_a_watched_report_is_written_again_when_something_is_new(
    run, tmp_path, monkeypatch, capsys
):
    copy, out = tmp_path / "run", tmp_path / "report.html"
    shutil.copytree(run, copy)
    model = (copy / runs.MODEL).read_bytes()
    (copy / runs.MODEL).unlink()
    pages = []

    def sleep(seconds):
        pages.append(out.read_text())
        if len(pages) == 1:
            (copy / runs.MODEL).write_bytes(model)
        if len(pages) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("autobeta.reports.watch.sleep", sleep)
    assert call("report", copy, "--out", out, "--watch", "5") == 130
    assert ["Not finished" in page for page in pages] == [True, False, False]
    assert all('data-renew="5"' in page for page in pages)
    assert '<html lang="en">' in out.read_text()
    assert capsys.readouterr().out.splitlines() == [str(out)] * 3


@pytest.mark.whole
def test_a_watched_study_is_seen_where_its_runs_lie(tmp_path, monkeypatch, capsys):
    study, out, looks = tmp_path / "study", tmp_path / "report.html", []
    args = [
        "--methods",
        "vae",
        "--data",
        "toy",
        "--seeds",
        "0",
        "--steps",
        "4",
        "--metrics",
        "mig",
    ]
    shared = tmp_path / "shared"
    assert call("study", "run", *args, "--out", study, "--runs", shared, "--workers", "1") == 0
    [run] = [path for path in shared.iterdir() if path.is_dir()]

    def sleep(seconds):
        looks.append(out.stat().st_mtime_ns)
        if len(looks) == 1:
            (run / runs.LOG).touch()
        if len(looks) == 2:
            (shared / f"{run.name}.json").touch()
        if len(looks) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("autobeta.reports.watch.sleep", sleep)
    capsys.readouterr()
    assert call("report", study, "--out", out, "--watch", "5") == 130
    assert len(capsys.readouterr().out.splitlines()) == 4  # at first, twice, and the last
    assert len({*looks}) == 3


@pytest.mark.whole
def test_a_report_links_to_an_explorer_or_has_it_inside(run, tmp_path, capsys):
    out = tmp_path / "a report" / "report.html"
    out.parent.mkdir()
    assert call("report", run, "--out", out, "--explorer", tmp_path / "my sliders.html") == 0
    assert '<a href="../my%20sliders.html">Explorer</a>' in out.read_text()
    assert "Explorer of dynamicvae" in (tmp_path / "my sliders.html").read_text()
    assert call("report", run, "--out", out, "--explorer", "inline") == 0
    assert "srcdoc=" in out.read_text()
    assert "Explorer of dynamicvae" in out.read_text()
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / runs.METRICS).unlink()
    assert call("report", bare, "--out", out, "--explorer", "inline") == 0
    assert "srcdoc=" not in out.read_text()
    capsys.readouterr()
    assert call("report", run, "--watch", "5") == 1
    assert "`out` must be given" in capsys.readouterr().err
    assert call("report", "--out", out) == 1
    assert "`runs` must name at least one run" in capsys.readouterr().err
    assert call("report", run, "--out", out, "--explorer", out) == 1
    assert "`explorer` must be another file than `out`" in capsys.readouterr().err
    for wrong in ("5", out.parent):
        assert call("report", run, "--out", out, "--explorer", wrong) == 1
        assert "`explorer` must be an HTML file, or inline" in capsys.readouterr().err
    assert call("report", run, "--out", out, "--watch", "0") == 1
    assert "`watch` must be in (0, 86400]; got 0" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:.*is left out of the explorer")
def test_a_run_that_no_page_can_show_is_left_out_of_the_reports_explorer(run, tmp_path, capsys):
    other, out = tmp_path / "other", tmp_path / "report.html"
    shutil.copytree(run, other)
    config = json.loads((other / runs.CONFIG).read_text())
    config["model"]["likelihood"] = OBJECT
    (other / runs.CONFIG).write_text(json.dumps(config))
    assert call("report", run, other, "--out", out, "--explorer", tmp_path / "e.html") == 0
    assert f"{other} is left out of the explorer: `likelihood`" in capsys.readouterr().err
    assert "Explorer of dynamicvae" in (tmp_path / "e.html").read_text()


@pytest.mark.filterwarnings("default:.*is left out of the explorer")
def test_an_explorer_of_several_leaves_out_what_is_no_run(run, tmp_path, capsys):
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    beside, out = [tmp_path / "x.json", tmp_path / "empty"], tmp_path / "e.html"
    assert call("explore", run, *beside, "--out", out) == 0
    told = capsys.readouterr().err
    assert all(f"{path} is left out of the explorer: `{path}" in told for path in beside)
    assert f"Explorer of {run.name}" in out.read_text()
    assert call("explore", *beside, "--out", out) == 1
    assert "`runs` must have one that a page can show; got none among 2" in capsys.readouterr().err
    assert call("explore", beside[1], "--out", out) == 1  # of one the reason itself
    assert f"error: `{beside[1]}` must" in capsys.readouterr().err


def test_score_prints_the_same_numbers_as_a_table_and_as_json(run, tmp_path, capsys):
    stored = run / runs.REPRESENTATION
    assert call("score", stored, "--metrics", "mig", "dci", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores.keys() == {"mig[bins=20]", "dci[lightgbm]"}
    assert call("score", stored, "--metrics", "mig") == 0
    assert f"{scores['mig[bins=20]']:.4f}" in capsys.readouterr().out


@pytest.mark.whole
def test_score_adds_intervals(run, capsys):
    options = ("score", run / runs.REPRESENTATION, "--metrics", "mig", "dci", "--intervals")
    assert call(*options, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    parts = [found["mig[bins=20]"], *found["dci[lightgbm]"].values()]
    assert len(parts) == 4
    assert all(part["low"] <= part["value"] <= part["high"] for part in parts)
    assert call(*options) == 0
    table = capsys.readouterr().out
    assert f"{parts[0]['low']:.4f} to {parts[0]['high']:.4f}" in table
    assert "95 % interval" in table
    assert INTERVALS_COVER in table


@pytest.mark.filterwarnings("default")
def test_score_of_codes_alone_is_valid_json(tmp_path, capsys):
    z = np.random.default_rng(0).standard_normal((50, 2))
    runs.write_npz(tmp_path / "a.npz", {"codes": np.hstack([z, z])})
    assert call("score", tmp_path / "a.npz", "--json") == 0
    said = capsys.readouterr()
    # a copy makes it infinite, which JSON does not know
    assert json.loads(said.out) == {"gaussian_total_correlation": None}
    assert "warning: gaussian_total_correlation is inf" in said.err


def test_a_variant_is_scored_under_its_name(run, capsys):
    names = ["mig[bins=5]", "mcc[spearman]", "dci[lasso]"]
    assert call("score", run / runs.REPRESENTATION, "--json", "--metrics", *names) == 0
    assert list(json.loads(capsys.readouterr().out)) == names


def test_udr_ranks_runs(run, tmp_path, capsys):
    assert call("train", "vae", *SMALL, "--seed", "1", "--out", tmp_path / "other") == 0
    capsys.readouterr()
    for flags in ([], ["--spearman"]):
        assert call("udr", run, tmp_path / "other", "--json", *flags) == 0
        scores = json.loads(capsys.readouterr().out)
        assert list(scores) == [str(run), str(tmp_path / "other")]
        assert all(0 <= value <= 1 for value in scores.values())
    assert call("udr", run, tmp_path / "other") == 0
    assert "metric" in capsys.readouterr().out


def test_udr_refuses_runs_of_other_images(run, tmp_path, capsys):
    parts = runs.read_npz(run / runs.REPRESENTATION)
    other = tmp_path / "other"
    runs.write_npz(other / runs.REPRESENTATION, parts | {"index": parts["index"] + 1})
    config = runs.read_config(run)
    runs.write_json(other / runs.CONFIG, config)
    assert call("udr", run, other) == 1
    assert "must be evaluated on the same images" in capsys.readouterr().err
    runs.write_npz(other / runs.REPRESENTATION, parts)
    assert call("udr", run, other) == 0
    config["data"] |= {"name": "dsprites"}
    runs.write_json(other / runs.CONFIG, config)
    capsys.readouterr()
    assert call("udr", run, other) == 1
    assert "`runs` must be of the same data" in capsys.readouterr().err
    assert call("udr", run) == 1
    assert "must be at least two run folders; got 1" in capsys.readouterr().err


def test_an_unknown_metric_is_refused_before_the_training(tmp_path, capsys):
    options = [*SMALL[:-2], "migg"]
    assert call("train", "vae", *options, "--out", tmp_path / "run") == 1
    assert "Did you mean 'mig'?" in capsys.readouterr().err
    assert not (tmp_path / "run" / runs.LOG).exists()


def test_score_uses_held_out_codes(tmp_path, capsys):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (600, 2))
    arrays = {"codes": factors + 0.01 * rng.standard_normal((600, 2)), "factors": factors}
    held_out = {"codes_test": rng.standard_normal((300, 2)), "factors_test": factors[:300]}
    runs.write_npz(tmp_path / "a.npz", arrays)
    runs.write_npz(tmp_path / "b.npz", arrays | held_out)
    found = []
    for name in ("a.npz", "b.npz"):
        assert call("score", tmp_path / name, "--metrics", "dci", "--json") == 0
        found.append(json.loads(capsys.readouterr().out)["dci[lightgbm]"]["informativeness"])
    assert found[0] > 0.9 > 0.6 > found[1]


@pytest.mark.parametrize("alone", ["codes_test", "factors_test"])
def test_score_refuses_held_out_codes_or_factors_alone(tmp_path, capsys, alone):
    table = np.arange(40).reshape(20, 2) % 3
    np.savez(tmp_path / "a.npz", codes=table + 0.5, factors=table, **{alone: table})
    assert call("score", tmp_path / "a.npz", "--metrics", "mig") == 1
    assert f"or neither; got {alone} alone" in capsys.readouterr().err


def test_score_names_missing_arrays(tmp_path, capsys):
    runs.write_npz(tmp_path / "a.npz", {"z": np.zeros((3, 2))})
    assert call("score", tmp_path / "a.npz") == 1
    assert "must hold an array codes; got z" in capsys.readouterr().err


def test_score_of_a_folder_tells_where_its_codes_are(run, tmp_path, capsys):
    assert call("score", run) == 1
    message = capsys.readouterr().err
    assert f"codes and factors; got {run}. A run's are in {run / runs.REPRESENTATION}." in message
    assert call("score", tmp_path) == 1
    assert "Write both with numpy.savez('codes.npz', codes" in capsys.readouterr().err


def test_unfinished_run_says_how_to_finish_it(run, tmp_path, capsys):
    folder = tmp_path / "unfinished"
    folder.mkdir()
    (folder / runs.CONFIG).write_text((run / runs.CONFIG).read_text())
    assert call("evaluate", folder) == 1
    assert "must hold a network; it has no model.safetensors" in capsys.readouterr().err


def test_damaged_model_is_named(run, tmp_path):
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / runs.CONFIG).write_text((run / runs.CONFIG).read_text())
    (folder / runs.MODEL).write_bytes((run / runs.MODEL).read_bytes()[:1000])
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        load_run(folder)
    write_tensors(folder / runs.MODEL, {"a": torch.zeros(1)})
    with pytest.raises(ValueError, match="must fit the run's configuration"):
        load_run(folder)


def test_unknown_method_lists_what_exists_and_the_nearest_name(capsys):
    assert call("train", "dynamicvea", "--out", "x") == 1
    error = capsys.readouterr().err
    assert "it has annealedvae, betatcvae, betavae, controlvae" in error
    assert "Did you mean 'dynamicvae'?" in error


def test_unknown_preset_lists_the_known(tmp_path, capsys):
    assert call("train", "dynamicvae", "--preset", "mine", "--out", tmp_path / "x") == 1
    assert "must be one of paper, paper-mnist" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:`schedule` paper reaches")
def test_preset_sets_the_published_values(tmp_path):
    folder = tmp_path / "run"
    preset = ["--preset", "paper", "--method.window", "7"]
    assert call("train", "dynamicvae", *SMALL, *preset, "--out", folder) == 0
    found = runs.read_config(folder)["method_config"]
    assert (found["controller"], found["schedule"]) == ("incremental", "paper")
    assert found["window"] == 7


@pytest.mark.parametrize("threads", ["0", "-1"])
def test_threads_must_be_positive(tmp_path, capsys, threads):
    folder = tmp_path / "x"
    assert call("train", "vae", *SMALL, "--threads", threads, "--out", folder) == 1
    assert "`threads` must be in [1, 1024]" in capsys.readouterr().err


def test_batch_larger_than_the_data_is_refused(tmp_path, capsys):
    folder = tmp_path / "x"
    assert call("train", "vae", *SMALL, "--batch-size", "5000", "--out", folder) == 1
    assert "`batch_size` must be in 1..2304" in capsys.readouterr().err


@pytest.mark.parametrize("args", [[], ["train"], ["data"], ["data", "sing"], ["fly"]])
def test_bad_usage_exits_with_2(args, capsys):
    try:
        code = call(*args)
    except SystemExit as stop:
        code = stop.code
    assert code == 2


def test_misspelt_command_is_corrected(capsys):
    assert call("trian") == 2
    assert "Did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["methods", "data", "metrics"])
def test_list_names_everything(capsys, monkeypatch, what):
    monkeypatch.setenv("COLUMNS", "200")
    assert call("list", what) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in registry.listed(what))
    assert "pilot" not in out  # which is for `autobeta suggest`


def test_cite_prints_bibtex(capsys):
    assert call("cite", "lvae") == 0
    assert capsys.readouterr().out.startswith("@article{mogultay2025lvae")
    assert call("cite", "lave") == 1
    assert "Did you mean" in capsys.readouterr().err


def test_pages_of_the_documentation_are_printed(capsys):
    assert call("docs") == 0
    assert {"data", "methods/lvae", "studies"} <= {*capsys.readouterr().out.split()}
    for name in ("methods/lvae", "docs/methods/lvae.md"):
        assert call("docs", name) == 0
        assert capsys.readouterr().out.startswith("# lvae\n")
    assert call("docs", "../README") == 1
    assert "`page` must be one of concepts, " in capsys.readouterr().err


def test_data_info_needs_no_images(capsys):
    assert call("data", "info", "dsprites") == 0
    assert "Apache-2.0" in capsys.readouterr().out


def test_data_verify_compares_with_a_file(tmp_path, capsys):
    dataset = load_data("toy")
    index = np.arange(0, 2304, 7)
    known = {"imgs": dataset.images(index)[..., 0], "original_dataset_indices": index}
    known["imgs"][3, 5, 5] ^= 255
    np.savez(tmp_path / "known.npz", **known)
    assert call("data", "verify", "toy", "--against", tmp_path / "known.npz") == 0
    assert capsys.readouterr().out.strip() == "329 of 330 images identical, 1 pixels differ"


def test_help_and_lists_do_not_wait_for_torch():
    code = (
        "import sys; from autobeta.cli import main; main(['list']); main(['--help']);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


def test_unknown_public_name_is_an_attribute_error():
    import autobeta

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = autobeta.nothing
    assert autobeta.RunConfig is RunConfig


def test_beta_is_converted_between_conventions(capsys):
    options = ["--origin.distortion", "squared_error", "--origin.pixels", "mean"]
    options += ["--target.distortion", "half_squared_error", "--channels", "3"]
    assert call("convert", "0.00025", *options) == 0
    assert capsys.readouterr().out.strip() == "1.536"
    assert call("convert", "1", "--origin.distortion", "squared_error") == 1
    assert "must both have bce, or both a squared error" in capsys.readouterr().err


@pytest.mark.whole
def test_training_ends_with_how_well_kl_followed_its_set_point(tmp_path, capsys):
    often = [*SMALL, "--log-every", "1", "--out", tmp_path / "run"]
    assert call("train", "dynamicvae", *often, "--method.target", "5") == 0
    assert "of its set point in " in capsys.readouterr().out
    assert call("train", "vae", *SMALL, "--out", tmp_path / "vae") == 0
    assert "set point" not in capsys.readouterr().out


def test_training_of_geco_ends_with_how_near_it_is_to_its_target(tmp_path, capsys):
    assert call("train", "geco", *SMALL, "--out", tmp_path / "run", "--method.target", "1") == 0
    said = capsys.readouterr()
    assert re.search(r"R was \S+ in the last tenth of the run; its target is 1\.", said.out)
    assert "above its target of 1: beta" in said.err


FIXED = ("--method.controller", "log")


def test_the_loop_of_a_controlled_run_is_told(tmp_path, capsys):
    """A log made up: KL follows -7 log beta with a lag of 50 steps, through 10 rises of 1 nat."""
    folder = tmp_path / "run"
    assert call("train", "dynamicvae", *SMALL, *FIXED, "--out", folder) == 0
    level, rows = 0.0, []
    rest = {"kl_per_latent": [level], "state": {}}
    for step in range(1, 4001):
        target = float(step // 400)
        level += (1 - math.exp(-1 / 50)) * (target - level)
        if step % 10 == 0:
            row = {"step": step, "kl_average": level, "beta": math.exp(-target / 7)}
            terms = {"reconstruction": 1.0, "kl": level}
            rows.append({**row, "target": target, "terms": terms, "weights": terms} | rest)
    runs.write_jsonl(folder / runs.LOG, rows)
    assert call("control", folder) == 0
    out = capsys.readouterr().out
    assert re.search(
        r"gain +│ (6\.[5-9]|7\.[0-5])\d? \([67]\.\d+ to [67]\.\d+\) nats for each", out
    )
    assert re.search(r"lag +│ (4\d|5\d) \(\d+ to \d+\) steps", out)
    assert "gains that would suit it" in out


@pytest.mark.parametrize("method", ["dynamicvae", "controlvae"])
def test_the_loop_of_a_default_run_is_told_from_what_its_controller_found(
    method, tmp_path, capsys
):
    folder = tmp_path / method
    assert call("train", method, *SMALL, "--out", folder) == 0
    assert call("control", folder) == 0
    out = capsys.readouterr().out
    assert "identified by the controller, last quarter; intervals of 95 %" in out
    row = runs.read_log(folder)[-1]["state"]
    gain = row["weighting.controller.plant_gain"]
    found = re.search(r"gain +│ (\d+\.\d+) \((\d+\.\d+) to (\d+\.\d+)\) nats", out)
    assert float(found[2]) < gain < float(found[3])
    assert re.search(r"lag +│ \d+ \(\d+ to \d+\) steps", out)
    assert "In 12 steps the controller has learned little of its network" in out
    assert re.search(r"gain margin +│ \d+\.\d", out)
    assert "explained" not in out
    assert "gains that would suit it" not in out  # it has none to set


@pytest.mark.whole
def test_a_loop_that_cannot_be_told_says_why(tmp_path, capsys):
    folder = tmp_path / "run"
    assert call("train", "dynamicvae", *SMALL, *FIXED, "--out", folder) == 0
    assert call("control", folder) == 0
    assert "must have a set point that rises three times" in capsys.readouterr().out
    (folder / "log.jsonl").write_text("")
    assert call("control", folder) == 0
    assert "The log has no line yet" in capsys.readouterr().out
    assert call("train", "vae", *SMALL, "--out", tmp_path / "vae") == 0
    assert call("control", tmp_path / "vae") == 1
    assert "`run` must be a controlled run, such as" in capsys.readouterr().err


def test_data_info_tells_the_factors_of_a_variant_before_anything_is_fetched(capsys):
    assert call("data", "info", "mpi3d") == 0
    assert "object_color 4 categorical" in capsys.readouterr().out
    assert call("data", "info", "mpi3d", "--variant", "real") == 0
    out = capsys.readouterr().out
    assert "object_color 6 categorical" in out
    assert "mpi3d_real.npz" in out
    assert "CC BY 4.0" in out
    assert "12.7 GB" in out
    assert call("data", "info", "mpi3d", "--variant", "unreal") == 1
    assert "`variant` must be one of real_complex" in capsys.readouterr().err


PILOT = [
    *("--data", "toy", "--image-size", "32", "--architecture", "mlp", "--batch-size", "16"),
    *("--steps", "160", "--log-every", "1", "--lr", "0.002", "--planned-steps", "1000"),
    *("--threads", "1"),
]


@pytest.fixture(scope="module")
def pilot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot") / "pilot"
    assert call("suggest", *PILOT, "--out", folder) == 0
    return folder


def test_suggestion_is_written_with_its_figure(pilot):
    found = runs.read_json(pilot / runs.SUGGESTION)
    log = runs.read_jsonl(pilot / runs.LOG)
    assert found["settings"]["dynamicvae"]["target"] == found["target"]
    assert found["target"] < max(row["kl_average"] for row in log)
    assert found["num_steps"] == 1000
    with Image.open(pilot / runs.SUGGESTION_FIGURE) as picture:
        assert picture.format == "PNG"


@pytest.mark.whole
def test_suggested_commands_train_with_the_suggested_settings(pilot, capsys, tmp_path):
    assert call("suggest", *PILOT, "--out", pilot) == 0
    said = capsys.readouterr()
    found = runs.read_json(pilot / runs.SUGGESTION)
    assert f"Set point {found['target']:g} nats" in said.out
    assert "collapsed" not in said.err  # as a pilot must, in the end
    commands = [line.split() for line in said.out.splitlines() if line.startswith("autobeta")]
    assert [command[2] for command in commands] == ["dynamicvae", "controlvae", "annealedvae"]
    for command in commands:
        out = tmp_path / command[2]
        assert command[-2:] == ["--out", "RUN"]
        small = ["--steps", "2", "--num-points", "50", "--metrics", "mig"]
        assert call(*command[1:-1], out, *small) == 0
        config = runs.read_config(out)
        assert config["model"]["architecture"] == "mlp"
        assert config["train"]["lr"] == 0.002
        settings = found["settings"][command[2]]
        assert {name: config["method_config"][name] for name in settings} == settings


@pytest.mark.parametrize("method", ["vae", "dynamicvae"])
def test_only_a_pilot_gives_a_suggestion(method, tmp_path):
    with pytest.raises(ValueError, match=f"must be of the method pilot; got '{method}'"):
        suggest(RunConfig(method=method, data="toy"), tmp_path)


def test_suggestion_is_for_a_run_of_some_steps(tmp_path):
    with pytest.raises(ValueError, match="`num_steps` must be at least 1; got 0"):
        suggest(RunConfig(method="pilot", data="toy"), tmp_path, num_steps=0)


def test_a_stopped_pilot_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stopped(*args, **options):
        raise InterruptedRunError(7, signal.SIGTERM)

    monkeypatch.setattr("autobeta.run.suggest.suggest", stopped)
    assert call("suggest", *PILOT, "--out", tmp_path / "pilot") == 143
    assert "stopped at step 7" in (said := capsys.readouterr().err)
    assert "Give the same command again" in said


@pytest.fixture
def hears_ctrl_c():
    """What a shell begins in its background ignores it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["evaluate", "report", "traverse"])
def test_a_signal_outside_the_loop_is_no_traceback(
    run, tmp_path, capsys, monkeypatch, number, code, command
):
    def stop(*args, **options):
        os.kill(os.getpid(), number)
        time.sleep(5)

    for name in ("run.evaluate.evaluate", "reports.write_report", "run.traverse.draw_traversals"):
        monkeypatch.setattr(f"autobeta.{name}", stop)
    out = ["--out", tmp_path / "r.html"] if command == "report" else []
    before = signal.getsignal(signal.SIGTERM)
    assert call(command, run, *out) == code
    assert "Give the same command again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_in_the_evaluation_of_a_training_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def stop(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    with monkeypatch.context() as patch:
        patch.setattr("autobeta.run.train.evaluate_model", stop)
        assert call("train", "vae", *SMALL, "--out", tmp_path / "a b") == 143
    said = capsys.readouterr().err
    again = shlex.split(said[said.index("autobeta train --config") :])
    assert call(*again[1:]) == 0
    assert runs.read_metrics(tmp_path / "a b" / runs.METRICS)["num_points"] == 120


@pytest.mark.parametrize("name", ["codes.npy", "codes.csv"])
def test_score_of_a_file_without_names_says_how_to_write_both(tmp_path, capsys, name):
    (tmp_path / name).write_text("1,2\n3,4\n")
    assert call("score", tmp_path / name) == 1
    assert "numpy.savez('codes.npz', codes=codes, factors=factors)" in capsys.readouterr().err
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    np.savez(tmp_path / "codes.npz", codes=factors + 0.0, factors=factors)
    assert call("score", tmp_path / "codes.npz", "--metrics", "mig") == 0


@pytest.mark.filterwarnings("default")
def test_score_names_what_it_does_not_read(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", codes=np.eye(12), labels=np.arange(12))
    assert call("score", tmp_path / "a.npz") == 0
    assert "not read: labels (12,). An array named factors would be." in capsys.readouterr().err


def test_encode_writes_file_names_and_splits(run, tmp_path):
    for i in (10, 2, 1):
        Image.fromarray(np.full((40, 40), i, np.uint8)).save(tmp_path / f"{i}.png")
    out = tmp_path / "out.npz"
    assert call("encode", run, "--data", tmp_path, "--out", out) == 0
    arrays = runs.read_npz(out)
    assert arrays["names"].tolist() == ["1.png", "2.png", "10.png"]
    assert sorted(arrays["split"].tolist()) == ["test", "train", "train"]


@pytest.mark.filterwarnings("default")
def test_encode_leaves_broken_images_out_where_that_is_asked_for(run, tmp_path, capsys):
    for i in range(4):
        Image.fromarray(np.full((40, 40), i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    out = tmp_path / "out.npz"
    assert call("encode", run, "--data", tmp_path, "--out", out) == 1
    assert "--skip-broken of train METHOD, suggest, encode and data" in capsys.readouterr().err
    assert call("encode", run, "--data", tmp_path, "--out", out, "--skip-broken") == 0
    assert "1 broken images skipped: 2.png" in capsys.readouterr().err
    assert runs.read_npz(out)["names"].tolist() == ["0.png", "1.png", "3.png"]


@pytest.mark.parametrize("command", ["train vae", "suggest", "encode", "data prepare"])
def test_commands_that_the_advice_names_can_skip_broken_images(command, capsys):
    with pytest.raises(SystemExit) as done:
        call(*command.split(), "--help")
    assert done.value.code == 0
    assert "--skip-broken" in capsys.readouterr().out


def test_metrics_that_need_labels_say_how_a_folder_gets_them(tmp_path, capsys):
    for i in range(24):
        Image.fromarray(np.full((32, 32), 9 * i, np.uint8)).save(tmp_path / f"{i}.png")
    out, own = tmp_path / "run", ["--data", tmp_path, "--metrics"]
    message = f"since 24 images of the folder {tmp_path.name} have none; got mig. Leave them out"
    assert call("train", "vae", *SMALL, *own, "mig", "--out", out) == 1
    assert message in (said := capsys.readouterr().err)
    assert "labels.csv with a row for each image" in said
    assert not out.exists()
    assert call("train", "vae", *SMALL, *own, "gaussian_total_correlation", "--out", out) == 0
    assert call("evaluate", out, "--metrics", "mig") == 1
    assert message in capsys.readouterr().err


def test_a_second_interrupt_in_the_loop_says_what_is_lost(tmp_path, capsys, monkeypatch):
    def interrupt_twice(self, row, speed):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("autobeta.training.callbacks.progress.Progress.__call__", interrupt_twice)
    assert call("train", "vae", *SMALL, "--out", tmp_path / "run") == 130
    said = capsys.readouterr().err
    assert "the steps since the last checkpoint are lost" in said
    assert "autobeta train --config" in said


def test_an_interrupt_while_another_is_told_of_is_no_traceback(run, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("autobeta.run.evaluate.evaluate", interrupt)
    monkeypatch.setattr(cli, "_tell", interrupt)
    assert call("evaluate", run) == 130
    assert "what was not written yet is lost" in capsys.readouterr().err


def test_list_tells_no_private_constant(capsys):
    assert cli.main(["list", "methods", "dynamicvae"]) == 0
    assert not any(line.startswith("_") for line in capsys.readouterr().out.splitlines())


def test_list_fits_a_screen_and_tells_all_about_one(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert call("list") == 0
    assert len(capsys.readouterr().out.splitlines()) <= 24
    assert call("list", "methods", "dynamicvae") == 0
    out = capsys.readouterr().out
    assert "beta_initial: 50.0" in out
    assert "paper-mnist" in out
    assert call("list", "methods", "dynamicvea") == 1
    assert "Did you mean 'dynamicvae'" in capsys.readouterr().err


def test_encode_to_a_device_and_through_a_link_is_written_through(run, tmp_path):
    link, target = tmp_path / "link.npz", tmp_path / "target.npz"
    link.symlink_to(target)
    options = ("encode", run, "--data", "toy", "--num-points", "5")
    assert call(*options, "--out", link) == 0
    assert link.is_symlink()
    assert runs.read_npz(target)["codes"].shape == (5, 10)
    assert call(*options, "--out", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", [runs.CONFIG, runs.MODEL, runs.LOCK, ""])
def test_encode_writes_over_no_file_of_a_run(run, capsys, name):
    before = {p: p.read_bytes() for p in run.iterdir() if p.is_file()}
    assert call("encode", run, "--data", "toy", "--num-points", "5", "--out", run / name) == 1
    assert "`out` must be a file of its own; got the " in capsys.readouterr().err
    assert {p: p.read_bytes() for p in run.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("number", ["0", "-1"])
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_study_without_workers_is_refused(tmp_path, capsys, number, more):
    args = ["study", "run", "--methods", "vae", "--data", "toy", "--workers", number]
    assert cli.main([*args, *more, "--out", str(tmp_path / "s")]) == 1
    assert f"`workers` must be at least 1; got {number}" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_study_that_is_interrupted_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("autobeta.study.launchers.local.launch", interrupted)
    args = ["study", "run", "--methods", "vae", "--data", "toy", "--out", str(tmp_path / "a b")]
    assert cli.main(args) == 130
    said = capsys.readouterr().err
    assert (
        f"Go on with\n  autobeta study run --methods vae --data toy --out '{tmp_path}/a b'" in said
    )


def test_a_stop_before_a_run_is_claimed_for_more_steps_says_to_repeat_the_command(
    run, tmp_path, capsys, monkeypatch
):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    folder = shutil.copytree(run, tmp_path / "run")
    monkeypatch.setattr("autobeta.run.train.build", interrupt)
    arguments = ("train", "dynamicvae", *SMALL, "--out", folder, "--method.target", 5)
    assert call(*arguments, "--steps", 50, "--extend") == 130
    assert "Give the same command again to go on." in capsys.readouterr().err
    assert call(*arguments) == 130
    assert f"train --config {folder / runs.CONFIG} --out {folder}" in capsys.readouterr().err


def test_output_of_few_characters_is_no_error():
    command = [sys.executable, "-m", "autobeta", "list", "metrics"]
    env = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"betavae" in done.stdout


def test_paths_of_the_command_line_begin_where_it_is_given_and_all_others_at_the_file(
    tmp_path, monkeypatch
):
    for name in ("file/photos", "file/maps", "here/others", "here/photos"):
        (tmp_path / name).mkdir(parents=True)
    text = 'methods = ["vae"]\ndata = ["photos", "maps"]\n[dataset.maps]\nimage_size = 32\n'
    (tmp_path / "file" / "study.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "here")

    def data(*names):
        flags = StudyFlags(study=Path("../file/study.toml"), out=Path("out"), data=names)
        definition, _, _ = _definition(flags)
        sizes = [run.config.data_options.image_size for run in plan(definition)]
        return definition.folder.resolve(), definition.data, sizes

    file, here = tmp_path / "file", tmp_path / "here"
    assert data() == (file, [str(file / "photos"), str(file / "maps")], [64, 32])
    assert data("others", "toy") == (file, [str(here / "others"), "toy"], [64, 64])
    assert data("../file/maps", "photos") == (
        file,
        [str(file / "maps"), str(here / "photos")],
        [32, 64],
    )
    assert data("maps") == (file, [str(file / "maps")], [32])
    with pytest.raises(ValueError, match=f"there is nothing at {here / 'none'}/x"):
        data("none/x")


def test_images_are_split_as_in_the_training_wherever_they_lie(tmp_path):
    rng = np.random.default_rng(0)
    photos, moved = tmp_path / "photos", tmp_path / "moved"
    photos.mkdir()
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(photos / f"{i}.png")
    train = ["train", "vae", *SMALL[2:-3], "--data", photos, "--out", tmp_path / "run"]
    train += ["--metrics", "gaussian_total_correlation", "--held-out", "0.2"]
    assert call(*train, "--test-fraction", "0.3", "--split-seed", "5") == 0
    shutil.copytree(photos, moved)
    found = []
    for place in (photos, moved):
        out = tmp_path / "codes.npz"
        assert call("encode", tmp_path / "run", "--data", place, "--out", out) == 0
        found.append(runs.read_npz(out))
    assert found[0]["split"].tolist() == found[1]["split"].tolist()
    assert np.unique(found[0]["split"], return_counts=True)[1].tolist() == [12, 22, 6]
    dataset = load_data(photos, load_run(tmp_path / "run").config.data_options)
    assert "validation" in dataset_for(load_run(tmp_path / "run"), dataset).splits
    Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(moved / "0.png")
    assert call("encode", tmp_path / "run", "--data", moved, "--out", tmp_path / "c.npz") == 0
    assert "validation" not in runs.read_npz(tmp_path / "c.npz")["split"]


def test_codes_are_written_under_the_name_of_what_they_are(run, tmp_path, capsys):
    assert call("encode", run, "--data", "toy", "--out", tmp_path / "codes.npy") == 1
    assert "`out` must end in .npz; got codes.npy" in capsys.readouterr().err
    assert not (tmp_path / "codes.npy").exists()


@pytest.mark.parametrize("name", ["codes.pt", "codes.parquet"])
def test_score_of_a_file_of_another_kind_says_how_to_write_both(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"PK")
    assert call("score", tmp_path / name) == 1
    assert "numpy.savez('codes.npz', codes=codes, factors=factors)" in capsys.readouterr().err
    np.savez(tmp_path / "z.npz", z=np.eye(3), y=np.eye(3))
    assert call("score", tmp_path / "z.npz") == 1
    error = capsys.readouterr().err
    assert "numpy.savez('codes.npz', codes=codes, factors=factors)" in error


def test_a_home_is_found_in_any_path(tmp_path, monkeypatch, run):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert call("encode", run, "--data", "toy", "--num-points", "5", "--out=~/c.npz") == 0
    assert (tmp_path / "c.npz").is_file()
    assert call("encode", run, "--data", "toy", "--num-points", "5", "--out", "~/d.npz") == 0
    assert (tmp_path / "d.npz").is_file()


@pytest.mark.parametrize("command", [["list"], ["list", "methods"]])
def test_a_reader_that_has_had_enough_is_no_error(command):
    code = "import sys; from autobeta.cli import main; sys.exit(main(sys.argv[1:]))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code, *command], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_image_with_a_long_name_is_traversed_from(run, tmp_path):
    image = tmp_path / f"{'x' * 240}.png"
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(image)
    assert call("traverse", run, "--image", image, "--out", tmp_path / "t") == 0
    assert len([*(tmp_path / "t").glob("traversal-0-xxx*.png")]) == 1


def test_names_of_runs_are_whole_on_any_terminal(tmp_path):
    name, reason = "betavae-toy-4dce8f0bd2fb-s1", "ValueError: " + "too long to stand beside " * 5
    progress = [RunProgress(name, "failed", 5, 10, 3.0, None, reason)]
    with mock.patch("autobeta.study.progress.progress", return_value=progress):
        shown = _progress_table(None)
    console = Console(width=60, file=io.StringIO())
    console.print(shown)
    text = console.file.getvalue()
    assert "…" not in text
    column = "".join(line.split("│")[1].strip() for line in text.splitlines() if "│" in line)
    assert name in column
