"""A real process is killed while it trains; the resumed run equals one never interrupted."""

import random
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from autobeta.run import folder as runs

pytestmark = pytest.mark.whole

STEPS = 40
COMMON = [
    *("dynamicvae", "--data", "toy", "--steps", str(STEPS), "--batch-size", "8"),
    *("--architecture", "burgess", "--image-size", "32", "--threads", "1", "--log-every", "5"),
    *("--checkpoint-every", "7", "--num-points", "100", "--metrics", "mig"),
]


def start(folder, *more):
    command = [sys.executable, "-m", "autobeta", "train", *COMMON, *more, "--out", folder]
    return subprocess.Popen([str(c) for c in command], stdout=-3, stderr=subprocess.PIPE)


def wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end, "no checkpoint in time"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return folder


def assert_same_run(a, b):
    ours, theirs = load_file(a / runs.MODEL), load_file(b / runs.MODEL)
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    state = f"{runs.CHECKPOINT}/training.safetensors"
    ours, theirs = load_file(a / state), load_file(b / state)
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert (a / runs.LOG).read_bytes() == (b / runs.LOG).read_bytes()
    assert (a / runs.METRICS).read_bytes() == (b / runs.METRICS).read_bytes()


def test_killed_run_resumes_bit_for_bit(tmp_path, whole):
    folder = tmp_path / "run"
    process = start(folder)
    wait_for(folder / runs.CHECKPOINT / "state.json", process)
    process.kill()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / runs.MODEL).exists(), "the run had finished before the signal"
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    assert_same_run(folder, whole)


WATCHED = [
    *("--held-out", "0.05", "--validate-every", "3", "--keep-best", "--patience", "9"),
    *(
        "--pictures-every",
        "6",
        "--evaluate-every",
        "7",
        "--lr-schedule",
        "linear",
        "--lr-warmup",
        "4",
        "--clip-grad",
        "9",
    ),
]


def finish(folder):
    process = start(folder, *WATCHED)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


@pytest.mark.slow
def test_a_watched_run_that_is_killed_at_random_resumes_bit_for_bit(tmp_path):
    finish(tmp_path / "whole")
    waits = random.Random(0)
    for _ in range(4):
        process = start(tmp_path / "parts", *WATCHED)
        wait_for(tmp_path / "parts" / runs.VALIDATION, process)
        time.sleep(waits.uniform(0, 2))
        process.kill()
        process.communicate(timeout=120)
    finish(tmp_path / "parts")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert_same_run(parts, whole)
    for name in (runs.VALIDATION, runs.EVALUATIONS, f"{runs.BEST}/{runs.MODEL}"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    names = [{p.name for p in (run / runs.PICTURES).iterdir()} for run in (whole, parts)]
    assert names[0] == names[1]
    assert len(names[0]) == 12
