import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from autobeta.study.folder import read_study
from autobeta.study.launchers import local
from autobeta.study.launchers._process import Attempts, start
from autobeta.study.launchers.local import LocalOptions, launch
from autobeta.training.checkpoint import find_checkpoint

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

BOTH = ["vae", "betavae"]


def begin(study):
    """The study's launcher as a process of its own, as the command line has it."""
    code = (
        "import sys; from pathlib import Path; from autobeta.study.launchers.local import *;"
        "from autobeta.cli import _on_terminate; _on_terminate();"
        "names = [n for n in read_study(Path(sys.argv[1])).runs"
        " if not read_study(Path(sys.argv[1])).is_done(n)];"
        "launch(Path(sys.argv[1]), names, LocalOptions(retries=1000), workers=2, told=print)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(study.folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def workers_of(study):
    """Processes that carry out runs of a study, by the names of these."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode().split("\0")
            if "autobeta.study.worker" in words and str(study.folder) in words:
                found[words[words.index(str(study.folder)) + 1]] = int(path.parent.name)
    return found


def checkpoint_step(study, name):
    with suppress(OSError, ValueError, TypeError):  # between two renames
        folder = find_checkpoint(study.run(name) / "checkpoint")
        return json.loads((folder / "state.json").read_text())["step"]
    return None


def logged_step(study, name):
    path = study.run(name) / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["step"] if lines and lines[-1].endswith("}") else 0


def kill_at_random(study, wanted, rng):
    """Kill workers and launchers of a study until it is done, or often enough; how often."""
    kills, known, launcher = 0, {}, begin(study)
    while kills < wanted:
        if kills % 2:  # in mid-training, else often at the start
            before = sum(logged_step(study, name) for name in study.runs)
            while launcher.poll() is None and before == sum(
                logged_step(study, name) for name in study.runs
            ):
                time.sleep(0.02)
        pause = time.monotonic() + rng.uniform(0.0, 1.0 if kills % 2 else 5.0)
        while launcher.poll() is None and time.monotonic() < pause:
            time.sleep(0.02)
        if launcher.poll() is not None:
            break  # all is done
        victims = sorted(workers_of(study).items())
        name, pid = rng.choice([*victims, (None, launcher.pid)])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            kills += 1
        if name is None:
            launcher.wait()
            launcher = begin(study)  # at once, while the former workers still write
        for run in study.runs:
            step = checkpoint_step(study, run)
            if step is not None:
                assert step >= known.get(run, 0)  # nothing that was kept is lost
                known[run] = step
    assert launcher.wait(timeout=600) == 0
    return kills


def assert_survives(kills, tmp_path, make_study, undisturbed, assert_same_results, wait_until):
    seed, done, count = 7, 0, 0
    while done < kills:
        study = make_study(tmp_path / str(count))
        done += kill_at_random(study, kills - done, random.Random(seed + count))
        count += 1
        assert_same_results(study, undisturbed())
        wait_until(lambda study=study: not workers_of(study), 30)
    print(f"{done} kills, {count} studies")


@pytest.mark.slow
def test_killed_at_random_a_study_ends_as_if_undisturbed(
    tmp_path, make_study, undisturbed, assert_same_results, wait_until
):
    assert_survives(2, tmp_path, make_study, undisturbed, assert_same_results, wait_until)


@pytest.mark.slow
def test_killed_at_thirty_random_moments_studies_end_as_if_undisturbed(
    tmp_path, make_study, undisturbed, assert_same_results, wait_until
):
    assert_survives(30, tmp_path, make_study, undisturbed, assert_same_results, wait_until)


def test_nothing_is_lost_beyond_the_last_checkpoint_when_a_worker_is_killed(
    tmp_path, make_study, told, wait_until
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=2000)
    (name,) = study.runs
    process = start(study, name)
    wait_until(lambda: logged_step(study, name) >= 50)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    kept = checkpoint_step(study, name)
    assert kept >= logged_step(study, name) - 20
    process = start(study, name)
    wait_until(lambda: study.log(name).read_text().count(" to 2,000") == 2)
    process.kill()
    process.wait()
    assert f"steps {kept + 1} to 2,000" in study.log(name).read_text()


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_interrupted_launcher_waits_for_checkpoints_and_leaves_no_process(
    tmp_path, make_study, number, wait_until
):
    study = make_study(tmp_path / "study", methods=BOTH, steps=5000)
    launcher = begin(study)
    try:
        wait_until(lambda: all(logged_step(study, name) >= 10 for name in study.runs))
        os.kill(launcher.pid, number)
        assert launcher.wait(timeout=60) != 0
    finally:
        launcher.kill()
        launcher.wait()
    assert not workers_of(study)
    for name in study.runs:
        assert study.attempt(name)["state"] == "stopped"
        assert checkpoint_step(study, name) >= logged_step(study, name) > 0


@pytest.mark.slow
def test_workers_stop_with_their_checkpoints_when_their_launcher_is_killed(
    tmp_path, make_study, wait_until
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=5000)
    (name,) = study.runs
    launcher = begin(study)
    wait_until(lambda: logged_step(study, name) >= 10)
    launcher.kill()
    launcher.wait()
    wait_until(lambda: not workers_of(study), 30)
    assert study.attempt(name)["state"] == "stopped"
    assert checkpoint_step(study, name) >= logged_step(study, name)


@pytest.mark.slow
def test_failed_run_does_not_stop_the_others_and_is_tried_again(tmp_path, make_study, told):
    wild = {"betavae": {"train": {"lr": 1e6}}}
    study = make_study(tmp_path / "study", methods=BOTH, method=wild, steps=40)
    good, bad = study.runs
    launch(study.folder, list(study.runs), LocalOptions(), workers=2, told=told)
    assert told.states(good) == ["running", "done"]
    assert told.states(bad) == ["running", "failed"]
    assert "DivergedError" in told.reason(bad)
    assert study.attempt(bad)["state"] == "failed"
    assert study.is_done(good)
    assert not study.is_done(bad)


@pytest.mark.slow
def test_two_launchers_share_a_study(
    tmp_path, make_study, undisturbed, assert_same_results, told, monkeypatch
):
    monkeypatch.setattr(local, "AGAIN", 0.5)
    study = make_study(tmp_path / "study")
    other = begin(study)
    launch(study.folder, list(study.runs), LocalOptions(), workers=2, told=told)
    assert other.wait(timeout=120) == 0
    assert {told.states(name)[-1] for name in study.runs} == {"done"}
    assert_same_results(study, undisturbed())


@pytest.fixture
def idle(monkeypatch):
    """Workers that only wait, where it is the launcher that is looked at."""

    def begin(study, name, core=None):
        return subprocess.Popen(["sleep", "0.5"], start_new_session=True)

    monkeypatch.setattr(local, "start", begin)


@pytest.mark.parametrize(("gigabytes", "together"), [(1, 1), (2, 2)])
def test_run_that_does_not_fit_in_memory_waits_for_another(
    tmp_path, make_study, told, monkeypatch, idle, gigabytes, together
):
    monkeypatch.setattr(local, "available_memory", lambda: gigabytes * 2**30)
    study = make_study(tmp_path / "study", methods=BOTH)
    launch(study.folder, list(study.runs), LocalOptions(memory=0.9), workers=2, told=told)
    assert [state for _, state, _ in told] == 2 // together * (
        ["running"] * together + ["done"] * together
    )


def test_run_that_is_killed_again_and_again_fails_alone(tmp_path, make_study, told, idle):
    study = make_study(tmp_path / "study", methods=BOTH)
    hunted, other = study.runs
    begun = []

    def kill(name, state, reason):
        told(name, state, reason)
        if state == "running" and name == hunted:
            os.kill(begun[-1].pid, signal.SIGKILL)

    idle_start = local.start  # of the fixture, which puts back what was there
    local.start = lambda *given: begun.append(idle_start(*given)) or begun[-1]
    launch(study.folder, list(study.runs), LocalOptions(retries=2), workers=2, told=kill)
    assert told.states(hunted) == ["running"] * 3 + ["failed"]
    assert "killed by SIGKILL, 3 times; the system does so" in told.reason(hunted)
    assert study.attempt(hunted)["reason"] == told.reason(hunted)
    assert told.states(other) == ["running", "done"]


@pytest.mark.slow
def test_worker_out_of_memory_has_failed_and_is_done_when_there_is_more(
    tmp_path, make_study, told, wait_until
):
    study = make_study(tmp_path / "study", methods=["vae"], steps=10)
    (poor,) = study.runs

    def limit(name, state, reason):
        told(name, state, reason)
        if state == "running":
            wait_until(lambda: name in workers_of(study))
            most = 400 * 2**20  # less than torch takes
            resource.prlimit(workers_of(study)[name], resource.RLIMIT_AS, (most, most))

    launch(study.folder, [poor], LocalOptions(retries=0), workers=1, told=limit)
    assert told.states(poor) == ["running", "failed"]
    assert told.reason(poor)
    launch(study.folder, [poor], LocalOptions(), workers=1, told=told)
    assert study.is_done(poor)


def test_worker_stays_on_its_core_and_on_one_thread(tmp_path, make_study, wait_until):
    study = make_study(tmp_path / "study", methods=["vae"], steps=100_000)
    core = max(os.sched_getaffinity(0))
    process = start(study, next(iter(study.runs)), core)
    try:
        assert os.sched_getaffinity(process.pid) == {core}
        assert os.getsid(process.pid) == process.pid  # Ctrl-C is for the launcher alone
        environment = Path(f"/proc/{process.pid}/environ")  # empty for a moment
        wait_until(lambda: b"OMP_NUM_THREADS=1" in environment.read_bytes().split(b"\0"))
    finally:
        process.kill()
        process.wait()


def test_cores_are_given_out_only_where_all_are_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 3, 5})
    assert local._cores(3) == [2, 3, 5]
    assert local._cores(2) == [None, None]
    assert local._cores(4) == [None] * 4


@pytest.mark.slow
def test_file_in_the_present_folder_is_not_taken_for_a_library(tmp_path, make_study, monkeypatch):
    study = make_study(tmp_path / "study", methods=["vae"], steps=1)
    (tmp_path / "random.py").write_text("raise SystemExit('this is not Python\\'s own')")
    monkeypatch.chdir(tmp_path)
    assert start(study, next(iter(study.runs))).wait() == 0


def test_run_counts_as_killed_only_as_long_as_it_comes_no_further(tmp_path, make_study):
    study = make_study(tmp_path / "study", methods=["vae"])
    (name,) = study.runs
    attempts = Attempts(study, retries=1)
    timing = study.run(name) / "timing.jsonl"
    timing.parent.mkdir(parents=True)
    for step in (10, 20, 30):
        attempts.begin(name)
        timing.write_text(json.dumps({"step": step, "images_per_second": 1.0}) + "\n")
        assert attempts.outcome(name, -signal.SIGKILL) is None
    attempts.begin(name)
    outcome = attempts.outcome(name, -40)  # one that has no name
    assert outcome == ("failed", "its process was killed by signal 40, 2 times")
    attempts.begin(name)
    assert "ended with status 3, 3 times" in attempts.outcome(name, 3).reason


def test_attempt_that_failed_keeps_the_evaluations_of_earlier_ones(tmp_path, make_study):
    study = make_study(tmp_path / "study", methods=["vae"])
    (name,) = study.runs
    study.write_attempt(name, state="done", evaluations=[study.asked])
    Attempts(study, retries=0).fail(name, "lost")
    found = read_study(study.folder).attempt(name)
    assert found == {"state": "failed", "reason": "lost", "evaluations": [study.asked]}


def test_run_whose_log_can_not_be_written_fails_alone(tmp_path, make_study, told):
    study = make_study(tmp_path / "study", methods=["vae"])
    (name,) = study.runs
    study.log(name).mkdir(parents=True)
    local.launch(study.folder, [name], local.LocalOptions(), workers=1, told=told)
    assert study.attempt(name)["state"] == "failed"
    assert "could not begin" in study.attempt(name)["reason"]
