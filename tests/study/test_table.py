"""The tidy table of a study: a row a run, whatever its folder holds."""

import csv
import io
import json
import os
import platform
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from autobeta.run import folder as files
from autobeta.study.definition import define
from autobeta.study.folder import claim_study, read_study
from autobeta.study.grid import plan
from autobeta.study.table import groups, rows, to_csv, to_parquet


@pytest.fixture
def study(tmp_path, undisturbed):
    """A finished study of its own, to be damaged."""
    shutil.copytree(undisturbed().folder, tmp_path / "study")
    return read_study(tmp_path / "study")


def planned(folder, **document):
    definition = define({"methods": ["vae"], "data": ["toy"]} | document, folder=folder)
    return claim_study(folder / "study", definition, plan(definition))


def test_row_has_what_the_runs_folder_tells(study):
    table = rows(study)
    assert [row["run"] for row in table] == [*study.runs]
    for row in table:
        run = study.run(row["run"])
        metrics = json.loads((run / "metrics.json").read_text())
        log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert row["kl"] == metrics["evaluation"]["train"]["kl"]
        assert row["mig[bins=20]"] == metrics["metrics"]["mig[bins=20]"]
        assert row["beta"] == log[-1]["beta"]
        assert (row["data"], row["data_source"]) == ("toy", "rendered")
        assert (row["steps"], row["batch_size"], row["seed"]) == (100, 8, 0)
        assert row["state"] == "done"
        assert row["images_per_second"] > 0
        assert row["torch"].startswith("2.")
    controlled = next(row for row in table if row["method"] == "dynamicvae")
    assert controlled["tracking_error"] > 0
    assert next(row for row in table if row["method"] == "vae")["tracking_error"] is None


def test_hours_are_those_of_all_attempts(study):
    name = next(iter(study.runs))
    seconds = [1800, 3600, 900, 1800]  # stopped after an hour, and gone on for half of one
    lines = [
        {"step": 10 * i, "seconds": s, "images_per_second": 5.0} for i, s in enumerate(seconds)
    ]
    (study.run(name) / "timing.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert rows(study)[0]["hours"] == pytest.approx(1.5)


def test_settings_that_differ_have_a_column_and_others_have_none(tmp_path):
    beta = {"betavae": {"beta": [1, 4]}}
    table = rows(planned(tmp_path, methods=["vae", "betavae"], method=beta, model={}))
    assert [row["method.beta"] for row in table] == [None, 1, 4]
    assert "model.num_latents" not in table[0]
    assert "method.kl_floor" not in table[0]


def test_seeds_are_one_group_and_settings_are_several(tmp_path):
    beta = {"betavae": {"beta": [1, 4]}}
    table = rows(planned(tmp_path, methods=["betavae"], method=beta, seeds="0-2"))
    found = groups(table)
    assert [len(group) for group in found.values()] == [3, 3]
    assert all(len({row["method.beta"] for row in group}) == 1 for group in found.values())


def test_data_of_one_name_are_told_apart(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "photos").mkdir(parents=True)
        picture = Image.fromarray(np.zeros((32, 32), np.uint8))
        picture.save(tmp_path / place / "photos" / "0.png")
    table = rows(planned(tmp_path, data=["a/photos", "b/photos", "toy"]))
    assert [row["data"] for row in table] == ["photos (1)", "photos (2)", "toy"]


def test_sizes_of_one_data_set_are_told_apart(tmp_path):
    table = rows(planned(tmp_path, options={"image_size": [32, 64]}))
    assert [row["data"] for row in table] == ["toy, image_size=32", "toy, image_size=64"]


def test_run_that_was_not_begun_is_a_row(tmp_path):
    (row,) = rows(planned(tmp_path))
    assert (row["state"], row["method"]) == ("waiting", "vae")


@pytest.mark.parametrize("name", ["metrics.json", "log.jsonl", "environment.json"])
def test_damaged_file_is_named_and_the_rest_is_told(study, name):
    first = next(iter(study.runs))
    (study.run(first) / name).write_bytes(b"\x00{]")
    row = rows(study)[0]
    assert row["run"] == first
    assert name in row["reason"]
    assert row["kl" if name != "metrics.json" else "torch"] is not None


def test_csv_and_parquet_hold_the_same_numbers(study):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = rows(study)
    found = list(csv.DictReader(io.StringIO(to_csv(table).decode())))
    stored = parquet.read_table(io.BytesIO(to_parquet(table))).to_pylist()
    assert len(found) == len(stored) == len(table)
    for row, text, kept in zip(table, found, stored, strict=True):
        assert [*row] == [*text] == [*kept]
        for key, value in row.items():
            assert text[key] == ("" if value is None else str(value))
            assert kept[key] == value


def test_parquet_without_its_library_names_the_extra(monkeypatch, study):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'autobeta\[parquet\]'"):
        to_parquet(rows(study))


def test_folder_that_holds_another_run_is_named_and_its_numbers_are_not_told(study):
    first, second, *_ = study.runs
    shutil.rmtree(study.run(first))
    shutil.copytree(study.run(second), study.run(first))
    row = rows(study)[0]
    assert row["reason"].startswith("its folder holds another run, whose method is 'betavae'")
    assert row["kl"] is None


def test_metrics_named_as_columns_replace_none(study):
    path = study.run(next(iter(study.runs))) / "metrics.json"
    found = json.loads(path.read_text())
    found["metrics"] |= {"seed": 7.0, "state": 1.0, "group": 2.0, "run": 3.0}
    path.write_text(json.dumps(found))
    row = rows(study)[0]
    assert (row["seed"], row["state"], row["run"]) == (0, "done", next(iter(study.runs)))


def test_number_beyond_64_bits_is_kept_in_parquet(study):
    pytest.importorskip("pyarrow")
    table = [{"a": 2**63}, {"a": 1}]
    assert to_parquet(table)


def test_log_that_is_no_file_is_not_waited_for(study):
    path = study.run(next(iter(study.runs))) / "log.jsonl"
    path.unlink()
    os.mkfifo(path)
    assert rows(study)[0]["mig[bins=20]"] is not None


def test_scores_that_only_another_study_asked_for_are_left_out(study):
    path = study.run(next(iter(study.runs))) / "metrics.json"
    found = json.loads(path.read_text())
    found["metrics"] |= {"sap": 0.5, "mig[bins=10]": 0.1}
    path.write_text(json.dumps(found))
    assert not {"sap", "mig[bins=10]"} & {*rows(study)[0]}
    every = study._replace(evaluation=study.evaluation | {"metrics": None})
    assert rows(every)[0]["sap"] == 0.5


def test_run_whose_process_begins_is_running(tmp_path):
    study = planned(tmp_path)
    (name,) = study.runs
    begun = {"state": "running", "host": platform.node(), "pid": os.getpid()}
    study.write_attempt(name, **begun)
    assert rows(study)[0]["state"] == "running"
    for change in ({"pid": 2**22 + 1}, {"host": "elsewhere"}, {"pid": -1}, {"pid": "x"}):
        study.write_attempt(name, **begun | change)
        assert rows(study)[0]["state"] == "waiting"


def test_hours_of_an_attempt_that_the_next_one_outlasts_are_counted(study):
    name = next(iter(study.runs))
    path = study.run(name) / "timing.jsonl"
    assert {"begun", "seconds"} <= {*json.loads(path.read_text().splitlines()[0])}
    whole = rows(study)[0]["hours"]
    assert whole == pytest.approx(
        json.loads(path.read_text().splitlines()[-1])["seconds"] / 3600, abs=1e-4
    )
    lines = [
        {"step": step, "begun": begun, "seconds": s, "images_per_second": 5.0}
        for step, (begun, s) in enumerate(
            [(5.0, 1800), (5.0, 3600), (9000.0, 3600), (9000.0, 5400)]
        )
    ]
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert rows(study)[0]["hours"] == pytest.approx(2.5)


def test_a_study_whose_runs_are_elsewhere_says_so(tmp_path):
    definition = define({"methods": ["vae"], "data": ["toy"]}, folder=tmp_path)
    claim_study(tmp_path / "study", definition, plan(definition), runs_folder=tmp_path / "pool")
    read_study(tmp_path / "study")
    (tmp_path / "deeper").mkdir()
    moved = (tmp_path / "study").rename(tmp_path / "deeper" / "study")
    with pytest.warns(UserWarning, match=r"must have its runs in .*pool, which is not there"):
        assert len(read_study(moved).runs) == 1
    with pytest.raises(FileNotFoundError, match="--runs"):
        claim_study(moved, definition, plan(definition))
    claim_study(moved, definition, plan(definition), runs_folder=tmp_path / "pool")
    assert read_study(moved).runs_folder == tmp_path / "pool"


def test_a_damaged_evaluation_at_the_end_hides_none_on_the_way(study):
    name = next(iter(study.runs))
    found = files.read_metrics(study.run(name) / files.METRICS)
    line = {key: found[key] for key in ("num_points", "evaluation", "metrics")} | {"step": 40}
    files.write_jsonl(study.run(name) / files.EVALUATIONS, [line])
    (study.run(name) / files.METRICS).write_text("{")
    assert rows(study, 40)[0]["mig[bins=20]"] == found["metrics"]["mig[bins=20]"]
    there = rows(study, 100)[0]
    assert "must be JSON" in there["reason"]
    assert "it was not evaluated" not in there["reason"]
