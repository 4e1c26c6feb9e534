import signal
import subprocess
import sys

import pytest

from autobeta.run import folder as files
from autobeta.study import worker
from autobeta.study.definition import define
from autobeta.study.folder import claim_study
from autobeta.study.grid import plan
from autobeta.study.launchers._process import Attempts
from autobeta.study.progress import progress


@pytest.fixture
def as_worker():
    former = signal.signal(signal.SIGTERM, worker._interrupt)
    yield
    signal.signal(signal.SIGTERM, former)


def test_worker_that_stops_already_takes_no_notice_of_another_sigterm(as_worker):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)


def test_only_a_worker_changes_how_its_process_takes_sigterm():
    before = signal.getsignal(signal.SIGTERM)
    worker._end_in_peace()
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_worker_whose_parent_is_gone_does_not_begin(tmp_path, make_study):
    study = make_study(tmp_path / "study", methods=["vae"])
    command = [sys.executable, "-m", "autobeta.study.worker", str(study.folder)]
    found = subprocess.run([*command, next(iter(study.runs)), "0"], timeout=120, check=False)
    assert found.returncode == worker.STATUS["stopped"]
    assert not study.attempt(next(iter(study.runs)))


@pytest.fixture
def sharing(tmp_path, make_study):
    """A study whose run is done, and another one that has the run evaluated otherwise."""
    first = make_study(tmp_path / "first", methods=["vae"], steps=3)
    (name,) = first.runs
    assert worker.carry_out(first.folder, name).state == "done"
    document = {"methods": ["vae"], "data": ["toy"], "train": {"steps": 3, "batch_size": 8}}
    definition = define(document | {"evaluation": {"num_points": 60, "metrics": ["sap"]}})
    other = claim_study(
        tmp_path / "other", definition, plan(definition), runs_folder=first.runs_folder
    )
    assert [*other.runs] == [name]
    return first, other, name


def test_a_study_that_fails_in_a_shared_run_takes_it_from_no_other(sharing, monkeypatch):
    first, other, name = sharing

    def fail(study, name):
        assert first.is_done(name), "while another study has it"
        raise ValueError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_train", fail)
        assert worker.carry_out(other.folder, name).state == "failed"
    assert [run.state for run in progress(first)] == ["done"]
    assert [run.state for run in progress(other)] == ["failed"]
    Attempts(other, retries=0).fail(name, "its process was killed")
    assert first.is_done(name)
    assert worker.carry_out(other.folder, name).state == "done"
    assert first.is_done(name)
    assert other.is_done(name)


def test_a_study_that_meets_a_busy_run_leaves_what_is_known_of_it(sharing):
    first, other, name = sharing
    before = first.attempt(name)
    with files.locked(first.run(name)):
        assert worker.carry_out(other.folder, name).state == "busy"
    assert first.attempt(name) == before


def test_what_another_study_has_evaluated_meanwhile_is_kept(sharing, monkeypatch):
    first, other, name = sharing
    first.write_attempt(name, state="stopped")

    def meanwhile(study, name):
        first.write_attempt(name, state="done", evaluations=[first.asked])
        return worker.Outcome("done")

    monkeypatch.setattr(worker, "_train", meanwhile)
    worker.carry_out(other.folder, name)
    assert other.evaluations(name) == [first.asked, other.asked]
