"""Names, reads and writes the files of a run folder; the only module that knows file names.

Everything is JSON, JSON lines or NPZ without pickles: nothing in a run folder can run code when
it is loaded. A file is written beside its place and renamed, so it is whole or absent.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

FORMAT = 1

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
LOG = "log.jsonl"
TIMING = "timing.jsonl"
CHECKPOINT = "checkpoint"
MODEL = "model.safetensors"
REPRESENTATION = "representation.npz"
RECONSTRUCTIONS = "reconstructions.npz"
TRAVERSALS = "traversals.npz"
METRICS = "metrics.json"
SUGGESTION = "suggestion.json"
SUGGESTION_FIGURE = "suggestion.png"
LOCK = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a run folder; released also when this one is killed.

    Raises:
        RuntimeError: If another process holds it.
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
        yield
    finally:
        lock.release()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place, flush it to disk and rename it in one go.

    A failure (a full disk, a crash) leaves the former file, if any, as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write JSON, indented, keys in the given order."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> Any:  # noqa: ANN401 - the shape of the file is the caller's to know
    """Read JSON.

    Raises:
        ValueError: If the file is not JSON; the message names it.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"`{path}` must be JSON; got {error}. Restore or delete it.") from error


def append_jsonl(path: Path, row: Mapping[str, object]) -> None:
    """Append one line of JSON and hand it to the operating system."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; an unfinished last line, as a killed process leaves it, is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines in one go."""
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    write_atomic(path, lambda file: file.write(text.encode()))


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write compressed arrays without pickles."""
    write_atomic(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an NPZ file; object arrays are refused.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be read as arrays.
    """
    if not path.exists():
        raise FileNotFoundError(f"`{path}` must be an .npz file; found nothing there.")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError) as error:
        message = f"`{path}` must be an .npz file of plain arrays; got {error}"
        raise ValueError(f"{message}. Write it with numpy.savez.") from error


def read_config(run: Path) -> dict[str, Any]:
    """Read the configuration of a run folder.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If another version of the package wrote it in another format.
    """
    if not (run / CONFIG).exists():
        raise FileNotFoundError(
            f"`{run}` must be a run folder; it has no {CONFIG}. Make one with `autobeta train`."
        )
    return read_config_file(run / CONFIG)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a configuration.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no configuration, or of another version's format.
    """
    config = read_json(path)
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise ValueError(f"`{path}` must have format {FORMAT}; got {found}. Train the run again.")
    return config
