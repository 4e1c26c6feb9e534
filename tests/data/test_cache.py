import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from autobeta.data import data_root


def test_the_environment_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("AUTOBETA_DATA")
    assert data_root() == Path(platformdirs.user_cache_dir("autobeta"))


def test_chunks_are_written_as_one_array_and_reported(tmp_path, left_in):
    whole = np.arange(60, dtype=np.uint8).reshape(10, 6)
    seen = []
    write_array(
        tmp_path / "new" / "x.npy",
        (10, 6),
        (whole[i : i + 4] for i in range(0, 10, 4)),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert np.array_equal(np.load(tmp_path / "new" / "x.npy"), whole)
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert left_in(tmp_path) == ["x.npy"]


def test_an_interrupted_write_leaves_nothing(tmp_path, left_in):
    def chunks():
        yield np.zeros((4, 6), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_array(tmp_path / "x.npy", (10, 6), chunks())
    assert left_in(tmp_path) == []


def test_until_the_last_chunk_nothing_lies_under_the_final_name(tmp_path):
    def chunks():
        for _ in range(2):
            assert not (tmp_path / "x.npy").exists()
            yield np.zeros((5, 6), np.uint8)

    write_array(tmp_path / "x.npy", (10, 6), chunks())
    assert (tmp_path / "x.npy").exists()


def test_what_a_killed_process_left_beside_is_removed_but_a_living_one_is_not(tmp_path, left_in):
    dead, living = tmp_path / "x.npy.11.tmp", tmp_path / "x.npy.12.tmp"
    dead.write_bytes(b"half")
    living.write_bytes(b"half")
    os.utime(dead, (0, 0))
    write_array(tmp_path / "x.npy", (1, 2), [np.zeros((1, 2), np.uint8)])
    assert left_in(tmp_path) == ["x.npy", "x.npy.12.tmp"]


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.zeros((1, 2), np.uint8), "must have 3 rows in all; got 1"),
        (np.zeros((3, 5), np.uint8), r"must be parts of \(3, 2\); got \(3, 5\)"),
    ],
)
def test_chunks_that_do_not_make_up_the_array_are_refused(tmp_path, left_in, chunk, message):
    with pytest.raises(ValueError, match=message):
        write_array(tmp_path / "x.npy", (3, 2), [chunk])
    assert left_in(tmp_path) == []


def test_what_does_not_read_back_is_refused(tmp_path, left_in, monkeypatch):
    chunk = np.arange(12, dtype=np.uint8).reshape(4, 3)

    def damaged(path, **_):
        array = np.lib.format.open_memmap(path)
        array[3, 1] ^= 1
        return array

    monkeypatch.setattr(_cache.np, "load", damaged)
    with pytest.raises(OSError, match="must read back as it was written; row 3 does not"):
        write_array(tmp_path / "x.npy", (4, 3), [chunk])
    assert left_in(tmp_path) == []


def test_a_killed_process_leaves_no_cache_file(tmp_path):
    """A real one, while it renders; what it left does not hinder the next."""
    code = "import sys, pathlib; from autobeta.data import DataOptions, prepare_data; "
    code += "prepare_data('scenes3d', DataOptions(image_size=32), pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path])
    folder, deadline = tmp_path / "scenes3d", time.monotonic() + 120
    while not any(f.stat().st_size > 1 << 16 for f in folder.glob("*.tmp")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert not list(folder.glob("*.npy"))
    write_array(folder / "images-32.npy", (1, 2), [np.ones((1, 2), np.uint8)])
    assert np.load(folder / "images-32.npy").tolist() == [[1, 1]]


def test_the_fingerprint_changes_with_file_and_options(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    first = fingerprint([file], 64)
    assert fingerprint([file], 64) == first
    assert fingerprint([file], 32) != first
    file.write_bytes(b"12")
    assert fingerprint([file], 64) != first
