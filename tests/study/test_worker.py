import signal
import subprocess
import sys

import pytest

from autobeta.study import worker


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
