"""Runs of version 0.1.0 beside runs of the same settings from this one."""

import tarfile
from pathlib import Path

import pytest

from autobeta.reports import load_runs
from autobeta.reports.tables import seed_rows
from autobeta.run import folder as runs
from autobeta.settings import RunConfig

ARCHIVE = Path(__file__).parents[1] / "reference" / "runs-0.1.0.tar.xz"


@pytest.mark.parametrize("method", ["dynamicvae", "lvae"])
def test_a_run_of_an_older_version_is_a_seed_of_newer_ones(tmp_path, method):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    old = tmp_path / "legacy" / method
    stored = runs.read_config(old)
    config = RunConfig.from_json(stored).to_json()  # with each setting that there is now
    facts = {key: stored["data"][key] for key in ("source", "image_shape", "num_train")}
    config["data"] |= facts | {"fingerprint": "64c6ea5f5266cd0e"}
    config["train"] |= {"seed": 1, "device": "cuda", "log_every": 7}
    new = tmp_path / "new"
    runs.write_json(new / runs.CONFIG, config)
    runs.write_json(new / runs.METRICS, runs.read_json(old / runs.METRICS))
    (new / runs.MODEL).touch()
    found = load_runs([old, new])
    assert len({run.group for run in found}) == 1
    assert [run.label for run in found] == [method, method]
    (row,) = seed_rows(found)
    assert row["seeds"] == 2
