"""Where prepared data lie, and how files get there: whole or not at all, by one process."""

import contextlib
import errno
import hashlib
import math
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import filelock
import numpy as np
import platformdirs
from jaxtyping import UInt8, UInt32
from rich.console import Console
from rich.progress import Progress

from autobeta.data._files.reading import shown
from autobeta.errors import DiskFullError

OnProgress = Callable[[int, int], object]

_FULL = (errno.ENOSPC, errno.EDQUOT)


def data_root() -> Path:
    """Folder of prepared data: `$AUTOBETA_DATA` if set, else the user's cache folder."""
    return Path(os.environ.get("AUTOBETA_DATA") or platformdirs.user_cache_dir("autobeta"))


def key_of(files: Iterable[Path], *options: object) -> str:
    """Twelve hex digits that change with the files' places, sizes or times, or with an option."""
    digest = hashlib.sha256(repr(options).encode())
    for file in files:
        stat = file.stat()
        facts = f"\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n"
        real, named = file.resolve(), file.absolute()
        linked = b"" if named == real else os.fsencode(named)  # a link's place may be its label
        digest.update(linked + os.fsencode(real) + facts.encode())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Be the one process that writes in a folder; a second one waits for the first.

    What killed processes left there is removed: whoever holds the lock knows that they are dead.
    """
    lock = filelock.FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        said = f"Waiting for another process that prepares data in {shown(folder)}"
        Console(stderr=True).print(said, markup=False)
        lock.acquire()
    except OSError as error:
        kind = DiskFullError if error.errno in _FULL else OSError
        raise kind(
            f"the cache of prepared data must be a folder that can be written in; {shown(folder)} "
            f"is not: {error.strerror}. Set the variable AUTOBETA_DATA to one that is."
        ) from error
    try:
        for left in folder.glob("*.tmp"):
            with contextlib.suppress(OSError):  # not ours to remove
                left.unlink()
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end; gone if that fails.

    It is flushed to the disk before it is renamed. The caller holds `writing_in` of the folder.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFullError(
                f"`{shown(path)}` must find space on its disk; got {error.strerror}. Nothing of "
                "it is kept, and no other file was changed. Free some space, or set AUTOBETA_DATA "
                "to a folder on another disk, and repeat the command."
            ) from error
        raise


def write_images(
    path: Path,
    shape: tuple[int, ...],
    chunks: Iterable[UInt8[np.ndarray, "..."]],
    on_progress: OnProgress | None,
) -> UInt32[np.ndarray, " rows"]:
    """Write a uint8 .npy file from consecutive chunks of rows; the CRC-32 of each row."""
    size = math.prod(shape)
    if size > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, f"the disk has no room for its {size / 1e6:,.0f} MB")
    table = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    start, done, checksums = table.offset, 0, np.zeros(shape[0], np.uint32)
    del table  # written as a file: on a full disk, writing to a map would kill the process
    with path.open("rb+") as file:
        file.seek(start)
        for chunk in _reported(chunks, shape[0], f"Preparing {path.parent.name}", on_progress):
            if chunk.shape[1:] != shape[1:] or done + len(chunk) > shape[0]:
                raise ValueError(f"chunks must be parts of {shape}; got {chunk.shape}.")
            file.write(np.ascontiguousarray(chunk).data)
            checksums[done : done + len(chunk)] = checksums_of(chunk)
            done += len(chunk)
    if done != shape[0]:
        raise ValueError(f"chunks must have {shape[0]} rows in all; got {done}.")
    return checksums


def checksums_of(rows: UInt8[np.ndarray, "rows ..."]) -> UInt32[np.ndarray, " rows"]:
    """CRC-32 of each row."""
    found = (zlib.crc32(np.ascontiguousarray(row).data) for row in rows)
    return np.fromiter(found, np.uint32, len(rows))


def _reported(
    chunks: Iterable[np.ndarray], total: int, label: str, on_progress: OnProgress | None
) -> Iterator[np.ndarray]:
    shown_bar = on_progress is None and sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=not shown_bar) as bar:
        task, done = bar.add_task(label, total=total), 0
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            bar.update(task, completed=done)
            if on_progress is not None:
                on_progress(done, total)
