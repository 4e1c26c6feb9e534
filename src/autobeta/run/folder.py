"""Names, reads and writes the files of a run folder; the only module that knows file names.

Everything is JSON, JSON lines, NPZ without pickles or safetensors: nothing in a run folder can
run code when it is loaded. A file is written beside its place and renamed, so it is whole or
absent. Each kind of file has one reader, which checks what it read and names the file.
"""

import errno
import glob
import json
import os
import re
import time
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from autobeta.errors import DiskFullError
from autobeta.settings import upgraded

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
LOG = "log.jsonl"
TIMING = "timing.jsonl"
CHECKPOINT = "checkpoint"
MODEL = "model.safetensors"
TRAINING = "training.safetensors"
STATE = "state.json"
REPRESENTATION = "representation.npz"
RECONSTRUCTIONS = "reconstructions.npz"
TRAVERSALS = "traversals.npz"
METRICS = "metrics.json"
SUGGESTION = "suggestion.json"
SUGGESTION_FIGURE = "suggestion.png"
LOCK = ".lock"

_OURS: tuple[str, ...] = (
    CONFIG,
    ENVIRONMENT,
    LOG,
    TIMING,
    MODEL,
    METRICS,
    SUGGESTION,
    SUGGESTION_FIGURE,
)
_OURS += (REPRESENTATION, RECONSTRUCTIONS, TRAVERSALS)
_LEFT = re.compile(rf"({'|'.join(map(re.escape, _OURS))})\.\d+\.tmp")  # beside one of our files
_OLD = 3600.0  # seconds after which what a dead process left beside any file is removed
_LARGE, _RATIO = 2**30, 100  # an .npz that unpacks to more than both is refused

Row = dict[str, Any]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a run folder; released also when this one is killed.

    What killed writers left there is removed.

    Raises:
        RuntimeError: If another process has locked it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RuntimeError(
            f"`{folder}` must be free; another process is writing a run there. Wait for it, stop "
            "it, or choose another folder."
        ) from error
    try:
        for path in filter(is_leftover, folder.iterdir()):
            path.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def is_leftover(path: Path) -> bool:
    """Whether a killed writer left this file beside the one that it was writing."""
    return _LEFT.fullmatch(path.name) is not None and path.is_file()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place, flush it to disk and rename it in one go.

    A failure (a full disk, a crash) leaves the former file, if any, as it was. A symbolic link
    stays one: its target is written. A device or FIFO is written to as it is.

    Raises:
        DiskFullError: If there is no space left.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as file:
            write(file)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path, error) from error
        raise


def _remove_leftovers(path: Path) -> None:
    """Remove what writers of a file that were killed long ago left beside it."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        pid = left.name.removesuffix(".tmp").rpartition(".")[2]
        with suppress(OSError):
            if pid.isdigit() and time.time() - left.stat().st_mtime > _OLD:
                left.unlink()


def _full(path: Path, error: OSError) -> DiskFullError:
    return DiskFullError(
        f"`{path}` must find space on its disk; got {error.strerror}. What stood there before is "
        "kept. Free some space, then give the same command again."
    )


def write_json(path: Path, value: object) -> None:
    """Write JSON, indented, keys in the given order."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON object; the message names it.
    """
    try:
        found = json.loads(_text(path), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` must be JSON; got {error}. Restore or delete it.") from error
    if not isinstance(found, dict):
        raise ValueError(
            f"`{path}` must be a JSON object; got {_kind(found)}. Restore or delete it."
        )
    return found


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be a file; found none there.")
    return path.read_text("utf-8")


def _refuse(constant: str) -> object:
    raise ValueError(f"the number {constant}, which is not JSON")


def _kind(value: object) -> str:
    return type(value).__name__


def append_jsonl(path: Path, row: Mapping[str, object]) -> None:
    """Append one line of JSON and hand it to the operating system.

    Raises:
        DiskFullError: If there is no space left.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path, error) from error
        raise


def flush(path: Path) -> None:
    """Have the system write what it holds of a file to the disk."""
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def read_jsonl(path: Path) -> list[Row]:
    """Read JSON lines that have a step; an unfinished last line, as a kill leaves it, is left out.

    A damaged line is left out with a warning. Lines come in the order of their steps.

    Raises:
        ValueError: If the file is not text.
    """
    if not path.exists():
        return []
    try:
        lines = _text(path).split("\n")
    except UnicodeDecodeError:
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    rows, damaged = list[Row](), list[str]()
    for number, line in enumerate(lines, 1):
        row = _row(line)
        if row is not None and (not rows or row["step"] > rows[-1]["step"]):
            rows.append(row)
        elif line and number < len(lines):
            damaged.append(str(number))
    if damaged:
        warnings.warn(
            f"`{path}` is damaged in line {', '.join(damaged)}; the other lines are taken.",
            stacklevel=2,
        )
    return rows


def _row(line: str) -> Row | None:
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    step = row.get("step") if isinstance(row, dict) else None
    return row if isinstance(step, int) and not isinstance(step, bool) else None


def read_log(run: Path) -> list[Row]:
    """The lines of a run's log, whose fields have the types that they are written with."""
    kinds = {"terms": dict, "weights": dict, "kl_per_latent": list, "state": dict}
    numbers = ("loss", "beta", "equivalent_beta", "kl_average", "target", "tracking_error")
    rows = read_jsonl(run / LOG)
    sound = [
        row
        for row in rows
        if all(isinstance(row.get(key), kind) for key, kind in kinds.items())
        and all(_is_number(row.get(key)) or row.get(key) is None for key in numbers)
        and all(_is_number(v) for key in ("terms", "weights", "state") for v in row[key].values())
        and all(map(_is_number, row["kl_per_latent"]))
        and {"reconstruction", "kl"} <= row["terms"].keys()
    ]
    if len(sound) < len(rows):
        warnings.warn(
            f"`{run / LOG}` has {len(rows) - len(sound)} damaged lines; the others are taken.",
            stacklevel=2,
        )
    return sound


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines in one go."""
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    write_atomic(path, lambda file: file.write(text.encode()))


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write compressed arrays without pickles."""
    write_atomic(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def read_npz(path: Path, *needed: str) -> dict[str, np.ndarray]:
    """Read all arrays of an NPZ file; object arrays are refused.

    Args:
        path: The file.
        needed: Names that it must hold.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be read as arrays, would unpack to far more than its size, or
            lacks one that is needed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be an .npz file; found nothing there.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > max(_LARGE, _RATIO * path.stat().st_size):
            raise ValueError(f"{path.stat().st_size:,} bytes that unpack to {size:,}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (
        *(ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, OverflowError),
        *(MemoryError, NotImplementedError, SyntaxError, RecursionError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
    ) as error:
        message = f"`{path}` must be an .npz file of plain arrays; got {error!r}"
        raise ValueError(f"{message}. Write it with numpy.savez.") from error
    if missing := [name for name in needed if name not in arrays]:
        raise ValueError(
            f"`{path}` must hold an array {missing[0]}; got {', '.join(sorted(arrays)) or 'none'}."
        )
    return arrays


def read_config(run: Path) -> dict[str, Any]:
    """Read the configuration of a run folder, in the present format.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If it is damaged, or of a later format.
    """
    if not (run / CONFIG).exists():
        raise FileNotFoundError(
            f"`{run}` must be a run folder; it has no {CONFIG}. Make one with `autobeta train`."
        )
    return read_config_file(run / CONFIG)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a configuration, in the present format.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no configuration, or of a later format.
    """
    try:
        return upgraded(read_json(path))
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"`{path}`: {error} Restore it, or train the run again.") from error


def read_metrics(run: Path) -> dict[str, Any]:
    """Losses and scores of a run; empty where it was not evaluated.

    Raises:
        ValueError: If the file is damaged.
    """
    path = run / METRICS
    if not path.exists():
        return {}
    found = read_json(path)
    kinds = {"num_points": int, "seed": int, "kl_per_latent": list, "evaluation": dict}
    sound = all(isinstance(found.get(key), kind) for key, kind in kinds.items())
    sound = sound and isinstance(found.get("metrics"), dict) and "train" in found["evaluation"]
    sound = sound and all(isinstance(part, dict) for part in found["evaluation"].values())
    if not sound or not all(map(_is_number, _leaves(found))):
        raise ValueError(
            f"`{path}` must have the losses and scores of a run; something else is there. "
            f"Delete it and run `autobeta evaluate {run}`."
        )
    return found


def _leaves(value: object) -> Iterator[object]:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(inner, Iterable) or isinstance(inner, str):
        yield value
        return
    for item in inner:
        yield from _leaves(item)
