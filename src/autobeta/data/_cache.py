"""Where prepared data lie, and how they are written: whole or not at all."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import platformdirs
from jaxtyping import UInt8
from rich.console import Console
from rich.progress import Progress

Report = Callable[[int, int], object]

_STALE_SECONDS = 120.0
_COMPARED = 100  # rows, about, that are read back


def data_root() -> Path:
    """Folder of prepared data: `$AUTOBETA_DATA` if set, else the user's cache folder."""
    return Path(os.environ.get("AUTOBETA_DATA") or platformdirs.user_cache_dir("autobeta"))


def fingerprint(files: Iterable[Path], *options: object) -> str:
    """Twelve hex digits that change with the files' paths, sizes or times, or with an option."""
    digest = hashlib.sha256(repr(options).encode())
    for file in files:
        stat = file.stat()
        digest.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def write_array(
    path: Path,
    shape: tuple[int, ...],
    chunks: Iterable[UInt8[np.ndarray, "..."]],
    *,
    progress: Report | None = None,
) -> None:
    """Write a uint8 .npy file from consecutive chunks of rows, without holding it in memory.

    It is written beside its place, flushed to disk and renamed in one go, so a process that is
    killed leaves no file under `path`; what it leaves beside is removed later.

    Before it is renamed, the last row of some chunks is read back and compared.

    Args:
        path: The file; its folder is made.
        shape: Shape of the whole array.
        chunks: Parts of the array along its first axis, in order.
        progress: Called with (rows written, rows in all) after each chunk; left out, a bar is
            shown where standard error is a terminal.

    Raises:
        ValueError: If the chunks don't add up to `shape`.
        OSError: If what is read back is not what was written.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with written_whole(path) as beside:
        done, kept = 0, dict[int, np.ndarray]()
        with beside.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for chunk in _reported(chunks, shape[0], f"Preparing {path.parent.name}", progress):
                if chunk.shape[1:] != shape[1:]:
                    raise ValueError(f"chunks must be parts of {shape}; got {chunk.shape}.")
                file.write(np.ascontiguousarray(chunk).data)
                done += len(chunk)
                if len(chunk) and done >= len(kept) * shape[0] // _COMPARED:
                    kept[done - 1] = chunk[-1].copy()
            if done != shape[0]:
                raise ValueError(f"chunks must have {shape[0]} rows in all; got {done}.")
            file.flush()
            os.fsync(file.fileno())
        _compare(beside, kept)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end; gone if that fails.

    What a killed process left there is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _compare(path: Path, rows: dict[int, np.ndarray]) -> None:
    """Read some rows back from a file.

    Raises:
        OSError: If one is not as given.
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    for i, row in rows.items():
        if not np.array_equal(array[i], row):
            raise OSError(
                f"`{path}` must read back as it was written; row {i} does not. Check the disk, "
                "then prepare the data again."
            )


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left beside `path`; a living one writes all the time."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        with contextlib.suppress(OSError):  # gone already, or not ours to remove
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                left.unlink()


def _reported(
    chunks: Iterable[np.ndarray], total: int, label: str, progress: Report | None
) -> Iterator[np.ndarray]:
    if progress is not None:
        done = 0
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            progress(done, total)
        return
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=total)
        for chunk in chunks:
            yield chunk
            bar.advance(task, len(chunk))
