import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from autobeta.errors import DiskFullError
from autobeta.run import folder as runs
from autobeta.run.load import newest


def test_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    runs.write_json(path, {"a": 1})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            runs.write_json(path, {"a": 2})
    assert runs.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_is_locked_by_one_process_only(tmp_path):
    code = (
        "import sys, pathlib; from autobeta.run import folder as runs\n"
        "with runs.locked(pathlib.Path(sys.argv[1])): print('locked')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with runs.locked(tmp_path / "run"):
        other = subprocess.run(command, capture_output=True, text=True)
    assert other.returncode == 1
    assert "must be free; another process is writing a run there" in other.stderr
    after = subprocess.run(command, capture_output=True, text=True, check=True)
    assert after.stdout == "locked\n"


def test_unfinished_last_line_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    runs.append_jsonl(path, {"step": 1})
    runs.append_jsonl(path, {"step": 2})
    with path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert [row["step"] for row in runs.read_jsonl(path)] == [1, 2]


def test_missing_log_is_empty(tmp_path):
    assert runs.read_jsonl(tmp_path / "none.jsonl") == []


def test_npz_comes_back_without_pickles(tmp_path):
    path = tmp_path / "a.npz"
    runs.write_npz(path, {"codes": np.arange(6.0).reshape(2, 3)})
    np.testing.assert_array_equal(runs.read_npz(path)["codes"], np.arange(6.0).reshape(2, 3))


def test_pickled_array_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, codes=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"must be an \.npz file of plain arrays"):
        runs.read_npz(path)


def test_missing_npz_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be an \.npz file; found nothing there"):
        runs.read_npz(tmp_path / "none.npz")


def test_broken_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="must be JSON"):
        runs.read_config(tmp_path)


def test_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a run folder"):
        runs.read_config(tmp_path)


def test_other_format_is_refused(tmp_path):
    runs.write_json(tmp_path / "config.json", {"format": 99})
    with pytest.raises(ValueError, match="must have format 4; got 99"):
        runs.read_config(tmp_path)


def test_files_written_together_are_all_new_or_all_old(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    files_of = lambda mark: {path: f"{path.name}{mark}".encode() for path in paths}  # noqa: E731
    runs.write_together(files_of(1))
    real = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"`.*c` must find space on its disk; got No space"):
        runs.write_together(files_of(2))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files_of(1)


def test_a_path_of_another_encoding_is_written_and_read(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    runs.write_json(tmp_path / "a.json", {"name": name})
    assert runs.read_json(tmp_path / "a.json") == {"name": name}


def test_an_npz_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("autobeta.run.formats._LARGE", 10_000)
    runs.write_npz(tmp_path / "a.npz", {"codes": np.zeros(10**6, np.uint8)})
    with pytest.raises(ValueError, match=r"bytes that unpack to 1,000,128"):
        runs.read_npz(tmp_path / "a.npz")


def test_a_lock_that_cannot_be_opened_is_no_lock_unless_somebody_has_it(tmp_path, monkeypatch):
    class Refused(runs.FileLock):
        """As where the file is another owner's; who runs the tests may be allowed everything."""

        def _acquire(self):
            raise PermissionError(errno.EACCES, "Permission denied")

    def is_locked():
        with monkeypatch.context() as patch:
            patch.setattr(runs, "FileLock", Refused)
            return runs.is_locked(tmp_path)

    (tmp_path / runs.LOCK).touch()
    assert not is_locked()
    with runs.locked(tmp_path):
        assert is_locked() == (sys.platform != "win32")
    assert not is_locked()


def test_what_killed_writers_left_is_removed_of_the_best_network_too(tmp_path):
    names = [f"{runs.MODEL}.123.tmp", f"{runs.BEST}/{runs.MODEL}.123.tmp", f"{runs.BEST}/x.tmp"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with runs.locked(tmp_path):
        assert [(tmp_path / name).exists() for name in names] == [False, False, True]


def test_commands_in_messages_can_be_pasted(tmp_path):
    run = tmp_path / "my run"
    with pytest.raises(FileNotFoundError, match=r"Run `autobeta evaluate '.*/my run'`"):
        runs.read_representation(run)
    with pytest.raises(FileNotFoundError, match=r"--config '.*/my run/.*' --out '.*/my run'`"):
        newest(run, 4)
