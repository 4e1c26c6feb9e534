import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autobeta.cli import main
from autobeta.study.launchers import slurm
from autobeta.study.launchers.slurm import RunJob, SlurmOptions, _Jobs, check, launch
from autobeta.study.worker import STATUS

on_slurm = pytest.mark.skipif(
    shutil.which("sinfo") is None
    or subprocess.run(["sinfo"], capture_output=True, check=False).returncode != 0,
    reason="needs a SLURM that answers",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(slurm, "LOOK", 0.5)
    monkeypatch.setattr(slurm, "AGAIN", 0.5)


def test_missing_submitit_is_said_before_the_folder_is_claimed(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=r"pip install 'autobeta\[slurm\]'"):
        check(SlurmOptions())
    out = tmp_path / "study"
    command = ["study", "run", "--methods", "vae", "--data", "toy", "--launcher", "slurm"]
    assert main([*command, "--out", str(out)]) == 1
    assert "pip install 'autobeta[slurm]'" in capsys.readouterr().err
    assert not out.exists()


def test_machine_without_sbatch_is_refused(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="needs the command sbatch, which is not here"):
        check(SlurmOptions())
    check(SlurmOptions(cluster="local"))


def test_slurm_that_does_not_answer_is_refused_before_the_folder_is_claimed(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm.shutil, "which", lambda name: "/usr/bin/sbatch")
    monkeypatch.setattr(slurm, "_queue", lambda: None)
    with pytest.raises(RuntimeError, match="needs a SLURM that answers; `squeue --me` fails here"):
        check(SlurmOptions())
    check(SlurmOptions(cluster="local"))


@pytest.mark.slow
def test_job_that_is_told_of_its_end_has_its_checkpoint_before_it_is_queued_again(
    tmp_path, make_study, undisturbed, assert_same_results, wait_until, logged_lines
):
    pytest.importorskip("submitit")
    study = make_study(tmp_path / "study", methods=["vae"])
    (name,) = study.runs
    job = RunJob(study.folder, name)
    queued = []

    def tell():
        wait_until(lambda: logged_lines(study, name) >= 3)
        os.kill(job._process.pid, signal.SIGUSR2)  # SLURM sends it to all processes of the job
        os.kill(os.getpid(), signal.SIGUSR2)

    def handle(number, frame):
        """As submitit does: the checkpoint, then out of the job's call."""
        queued.append(job.checkpoint())
        raise InterruptedError

    former = signal.signal(signal.SIGUSR2, handle)
    try:
        threading.Thread(target=tell).start()
        with pytest.raises(InterruptedError):
            job()
    finally:
        signal.signal(signal.SIGUSR2, former)
    job._process.wait()  # a real job has ended by now
    assert study.attempt(name)["state"] == "stopped"
    assert (study.run(name) / "checkpoint" / "state.json").exists()
    assert queued[0].result() == STATUS["done"]
    assert "training on cpu, steps 1 to" in study.log(name).read_text()
    assert study.log(name).read_text().count("training on") == 2
    assert_same_results(study, undisturbed(100, ("vae",)))


@pytest.mark.slow
def test_checkpoint_before_and_after_the_run_queues_it_again(tmp_path, make_study):
    pytest.importorskip("submitit")
    study = make_study(tmp_path / "study", methods=["vae"], steps=2)
    job = RunJob(study.folder, next(iter(study.runs)))
    assert isinstance(job.checkpoint().function, RunJob)
    assert job() == STATUS["done"]
    assert isinstance(job.checkpoint().function, RunJob)


@pytest.mark.slow
def test_local_jobs_carry_out_a_study_and_failed_ones_do_not_stop_it(tmp_path, make_study, told):
    pytest.importorskip("submitit")
    wild = {"betavae": {"train": {"lr": 1e6}}}
    study = make_study(tmp_path / "study", methods=["vae", "betavae"], method=wild, steps=40)
    good, bad = study.runs
    launch(study.folder, list(study.runs), SlurmOptions(cluster="local"), workers=2, told=told)
    assert told.states(good)[-1] == "done"
    assert told.states(bad)[-1] == "failed"
    assert "DivergedError" in told.reason(bad)
    assert study.is_done(good)
    assert (study.folder / "slurm" / "jobs.json").exists()


@pytest.mark.slow
def test_local_job_whose_time_is_up_goes_on_from_its_checkpoint(
    tmp_path,
    make_study,
    undisturbed,
    assert_same_results,
    told,
    monkeypatch,
    wait_until,
    logged_lines,
):
    pytest.importorskip("submitit")
    study = make_study(tmp_path / "study", methods=["vae"])
    jobs = _Jobs(study, SlurmOptions(cluster="local"), 1, told)
    jobs.submit(list(study.runs))
    name = next(iter(study.runs))
    wait_until(lambda: logged_lines(study, name) >= 2)
    controller = jobs._jobs[name].job_id
    children = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGUSR2)  # as its controller does when the time is up
    assert jobs.follow() == []
    assert told.states(name)[-1] == "done"
    assert len(study.log(name).read_text().split("training on")) == 3
    assert_same_results(study, undisturbed(100, ("vae",)))


def fake_job(tmp_path, name="7_0"):
    class Paths:
        result_pickle = tmp_path / "result.pkl"
        stderr = tmp_path / "log.err"

    class FakeJob:
        job_id = name
        paths = Paths()

        def exception(self):
            return RuntimeError("Job failed\nTraceback\nImportError: no autobeta\nlogs at")

    return FakeJob()


@pytest.fixture
def jobs(tmp_path, make_study, told, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm, "_GONE", 0.0)
    monkeypatch.setattr(slurm, "_queue", lambda: set())
    study = make_study(tmp_path / "study", methods=["vae"])
    monkeypatch.setattr(slurm, "_executor", lambda *given: None)
    found = _Jobs(study, SlurmOptions(), None, told)
    found._jobs = {name: fake_job(tmp_path) for name in study.runs}
    return found, study, next(iter(study.runs))


def test_job_that_was_cancelled_in_the_queue_is_stopped(jobs, told):
    found, _, name = jobs
    assert found.follow() == []
    assert told == [(name, "stopped", "its job was cancelled")]


def test_job_that_vanished_in_mid_run_has_failed(jobs, told):
    found, study, name = jobs
    study.write_attempt(name, state="running")
    found.follow()
    assert told.states(name)[-1] == "failed"
    assert "was killed, or out of memory; see" in told.reason(name)
    assert study.attempt(name)["state"] == "failed"


def test_job_that_could_not_begin_has_failed(jobs, told, tmp_path):
    found, _, name = jobs
    (tmp_path / "result.pkl").touch()
    found.follow()
    assert told == [(name, "failed", "its job failed: ImportError: no autobeta")]


def test_job_is_waited_for_as_long_as_slurm_does_not_answer(jobs, told, monkeypatch):
    found, _, name = jobs
    answers = iter([None, {"7_0"}, None])
    monkeypatch.setattr(slurm, "_queue", lambda: next(answers, set()))
    begin = time.monotonic()
    found.follow()
    assert time.monotonic() - begin > 4 * slurm.LOOK
    assert told.states(name) == ["stopped"]
    assert list(answers) == []


def test_ctrl_c_leaves_the_jobs_and_says_how_to_cancel_them(jobs, told):
    found, _, _ = jobs
    assert found.advice() == ("The jobs go on; see `squeue --me`, cancel them with `scancel 7`.")


def test_jobs_that_are_still_queued_are_followed_and_not_queued_twice(jobs, told, monkeypatch):
    found, study, name = jobs
    (study.folder / "slurm").mkdir()
    (study.folder / "slurm" / "jobs.json").write_text(f'{{"{name}": "7_0"}}')
    monkeypatch.setattr(slurm, "_queue", lambda: {"7_0"})
    found.submit([name])  # there is no executor that could queue one
    assert found._jobs[name].job_id == "7_0"


def test_what_slurm_refuses_is_said(jobs, monkeypatch):
    from submitit.core.utils import FailedJobError

    found, _, name = jobs

    class Refusing:
        def submit_array(self, jobs):
            raise FailedJobError("sbatch: error: invalid partition specified: none")

    found._executor = Refusing()
    with pytest.raises(RuntimeError, match=r"it says: .* invalid partition .* --slurm\.\*"):
        found.submit([name])


@on_slurm
@pytest.mark.slow
def test_job_whose_time_is_up_is_queued_again_and_ends_as_if_undisturbed(
    tmp_path, make_study, undisturbed, assert_same_results, told, wait_until, logged_lines
):
    study = make_study(tmp_path / "study")
    first, *_ = study.runs
    options = SlurmOptions(wait=False)
    launch(study.folder, list(study.runs), options, workers=2, told=told)
    job = json.loads((study.folder / "slurm" / "jobs.json").read_text())[first]
    wait_until(lambda: logged_lines(study, first) >= 3)
    subprocess.run(["scancel", "--signal=USR2", job], check=True)  # as SLURM before its end
    launch(study.folder, list(study.runs), SlurmOptions(), workers=2, told=told)
    assert study.log(first).read_text().count("training on") == 2
    assert_same_results(study, undisturbed())


@on_slurm
@pytest.mark.slow
def test_cancelled_job_has_its_checkpoint_and_goes_on_when_launched_again(
    tmp_path, make_study, told, wait_until, logged_lines
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=400)
    (name,) = study.runs
    launch(study.folder, [name], SlurmOptions(wait=False), workers=1, told=told)
    wait_until(lambda: logged_lines(study, name) >= 3)
    launch(
        study.folder, [name], SlurmOptions(wait=False), workers=1, told=told
    )  # not queued twice
    (written,) = (study.folder / "slurm").glob("*_submitted.pkl")
    job = written.name.partition("_")[0]
    subprocess.run(["scancel", job], check=True)
    wait_until(lambda: study.attempt(name)["state"] == "stopped")
    wait_until(lambda: job not in slurm._queue())
    assert (study.run(name) / "checkpoint" / "state.json").exists()
    launch(study.folder, [name], SlurmOptions(), workers=1, told=told)
    assert told.states(name)[-1] == "done"
    assert study.is_done(name)
    assert "training on cpu, steps 1 to" in study.log(name).read_text()
    assert study.log(name).read_text().count("training on") == 2
