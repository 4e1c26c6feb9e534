import errno
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from autobeta.data import data_root
from autobeta.data._core.cache import key_of, write_images, writing_in, written_whole


def test_the_environment_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("AUTOBETA_DATA")
    assert data_root() == Path(platformdirs.user_cache_dir("autobeta"))


def write(path, shape, chunks, on_progress=lambda *done: None):
    with writing_in(path.parent), written_whole(path) as beside:
        return write_images(beside, shape, chunks, on_progress)


def test_chunks_are_written_as_one_array_and_reported(tmp_path, left_in):
    whole = np.arange(60, dtype=np.uint8).reshape(10, 6)
    seen = []
    parts = (whole[i : i + 4] for i in range(0, 10, 4))
    checksums = write(tmp_path / "new" / "x.npy", (10, 6), parts, lambda *done: seen.append(done))
    assert np.array_equal(np.load(tmp_path / "new" / "x.npy"), whole)
    assert checksums.tolist() == [zlib.crc32(row) for row in whole]
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert left_in(tmp_path) == ["x.npy"]


def test_an_interrupted_write_leaves_nothing(tmp_path, left_in):
    def chunks():
        yield np.zeros((4, 6), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "x.npy", (10, 6), chunks())
    assert left_in(tmp_path) == []


def test_until_the_last_chunk_nothing_lies_under_the_final_name(tmp_path):
    def chunks():
        for _ in range(2):
            assert not (tmp_path / "x.npy").exists()
            yield np.zeros((5, 6), np.uint8)

    write(tmp_path / "x.npy", (10, 6), chunks())
    assert (tmp_path / "x.npy").exists()


def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path, left_in):
    for name in ("x.npy.11.tmp", "other.npz.12.tmp"):
        (tmp_path / name).write_bytes(b"half")
    write(tmp_path / "x.npy", (1, 2), [np.zeros((1, 2), np.uint8)])
    assert left_in(tmp_path) == ["x.npy"]


@pytest.mark.whole
def test_a_living_writer_is_waited_for_however_long_it_has_been_silent(tmp_path, capfd):
    """A second process, while the first flushes: its old file must not be taken for a leftover."""
    code = "import sys, pathlib; from autobeta.data._core.cache import writing_in\n"
    code += "with writing_in(pathlib.Path(sys.argv[1])): print('got it', flush=True)"
    with writing_in(tmp_path):
        silent = tmp_path / "x.npy.1.tmp"
        silent.write_bytes(b"being flushed")
        os.utime(silent, (0, 0))
        second = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert second.stderr is not None
        assert b"Waiting for another process" in second.stderr.readline()
        time.sleep(0.5)
        assert second.poll() is None
        assert silent.exists()
    out, _ = second.communicate(timeout=60)
    assert out.strip() == b"got it"
    assert not silent.exists()


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([np.zeros((1, 2), np.uint8)], "must have 3 rows in all; got 1"),
        ([np.zeros((3, 5), np.uint8)], r"must be parts of \(3, 2\); got \(3, 5\)"),
        ([np.zeros((2, 2), np.uint8)] * 2, r"must be parts of \(3, 2\); got \(2, 2\)"),
    ],
)
def test_chunks_that_do_not_make_up_the_array_are_refused(tmp_path, left_in, chunks, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "x.npy", (3, 2), chunks)
    assert left_in(tmp_path) == []


def test_a_disk_that_has_no_room_is_seen_before_anything_is_written(tmp_path, left_in):
    with pytest.raises(
        OSError, match=r"x\.npy` must find space on its disk; got .* no room for its 1,000,000"
    ):
        write(tmp_path / "x.npy", (10**9, 10**9), [])
    assert left_in(tmp_path) == []


def test_a_disk_that_fills_up_is_named_with_what_to_do(tmp_path, left_in):
    def chunks():
        yield np.zeros((1, 2), np.uint8)
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "x.npy").write_bytes(b"older")
    with pytest.raises(
        OSError, match=r"x\.npy` must find space on its disk; got No space left .* Nothing of it"
    ):
        write(tmp_path / "x.npy", (3, 2), chunks())
    assert left_in(tmp_path) == ["x.npy"]
    assert (tmp_path / "x.npy").read_bytes() == b"older"


@pytest.mark.whole
def test_a_killed_process_leaves_no_cache_file(tmp_path, left_in):
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
    write(folder / "x.npy", (1, 2), [np.ones((1, 2), np.uint8)])
    assert left_in(folder) == ["x.npy"]


def test_the_key_changes_with_file_and_options_but_not_with_the_way_to_it(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    first = key_of([file], 64)
    monkeypatch.chdir(tmp_path)
    assert key_of([Path("a")], 64) == first
    assert key_of([file], 32) != first
    old = file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))  # as rsync and archives do
    assert key_of([file], 64) != first


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("no folder")
    told = pytest.raises(OSError, match=r"the cache .* must be a folder .*AUTOBETA_DATA to one")
    with told, writing_in(tmp_path / "file" / "toy"):
        pass
