"""The formats of our files, written whole or not at all and checked when they are read.

Everything is JSON, JSON lines or NPZ without pickles (or safetensors, see `training.checkpoint`):
nothing can run code when it is loaded.
"""

import errno
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.errors import DiskFullError

LARGEST = 1e100
"""A number beyond it is damage; arithmetic on an axis would overflow."""

_LARGE, _RATIO = 2**30, 100  # an .npz that unpacks to more than both is refused
_WORDS = {int: "a whole number", float: f"a number below {LARGEST:g}", str: "a text"}

Row = dict[str, Any]


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files beside their places, flush them to disk and rename them when all are there.

    A failure (a full disk, a crash) leaves the former files, if any, as they were. A symbolic link
    is replaced: it may lead out of the folder.

    Raises:
        DiskFullError: If there is no space left.
    """
    beside: dict[Path, Path] = {}
    try:
        for path, data in contents.items():
            beside[path] = path.with_name(f"{path.name}.{os.getpid()}.tmp")
            with _disk_full(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            with _disk_full(path), beside[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, written in beside.items():
            written.replace(path)
    finally:
        for written in beside.values():
            with suppress(OSError):
                written.unlink(missing_ok=True)


@contextmanager
def _disk_full(path: Path) -> Iterator[None]:
    """Say of which file there was no room on the disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise type(error)(
                f"`{path}` must be where files can be written; got {error.strerror}. Name "
                "another place."
            ) from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"`{path}` must find space on its disk; got {error.strerror}. What stood there before "
            "is kept. Free some space, then give the same command again."
        ) from error


def write_json(path: Path, value: object) -> None:
    """Write JSON, indented, keys in the given order."""
    write_together({path: json_bytes(value)})


def json_bytes(value: object) -> bytes:
    """What `write_json` writes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # a path in another encoding than UTF-8 has surrogates, which JSON writes as escapes
    return text.encode("utf-8", "backslashreplace")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON object; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be a file; found none there.")
    try:
        content = path.read_bytes()
        found = _json(content.decode(json.detect_encoding(content), "surrogatepass"))
        if not isinstance(found, dict):
            raise ValueError(f"{found!r:.40}, not an object")
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"`{path}` must be JSON; got: {error}. Restore it, or move it away."
        ) from error
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"the number {constant}, which is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_SHALLOW = 50  # brackets of a text that can't be too deep to be written again


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    found = _DECODER.decode(text)
    if text.count("[") + text.count("{") > _SHALLOW:
        json.dumps(found)
    return found


def check_shape(value: Any, shape: Any, name: str = "it") -> None:  # noqa: ANN401 - any JSON
    """Refuse JSON of another shape.

    Args:
        value: What was read; null has every shape.
        shape: A type, [shape of each item], or {key: its shape} with ... for any other key; or
            (a type, {key: its shape}), of which either will do.
        name: Of the value, for the message.

    Raises:
        ValueError: If it is of another shape, or a number is beyond `LARGEST`.
    """
    if value is None:
        return
    if isinstance(shape, tuple):
        shape = shape[isinstance(value, dict)]
    if isinstance(shape, type):
        kinds = (int, float) if shape is float else shape
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or not (shape is str or abs(value) <= LARGEST):
            raise ValueError(f"`{name}` must be {_WORDS[shape]}; got {value!r:.40}")
    elif not isinstance(value, type(shape)):
        kind = "a list" if isinstance(shape, list) else "an object"
        raise ValueError(f"`{name}` must be {kind}; got {value!r:.40}")
    elif isinstance(shape, list):
        inner = shape[0]
        for item in value:
            # most of a log are numbers that fit: they are passed without a call
            if inner is not float or type(item) is not float or abs(item) > LARGEST:
                check_shape(item, inner, name)
    else:
        others = shape.get(...)
        for key, item in value.items():
            inner = shape.get(key, others)
            fits = inner is float and type(item) is float and abs(item) <= LARGEST
            if not fits and inner is not None:
                check_shape(item, inner, key)


def append_jsonl(path: Path, row: Mapping[str, object]) -> None:
    """Append one line of JSON and hand it to the operating system.

    Raises:
        DiskFullError: If there is no space left.
    """
    with _disk_full(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines in one go."""
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    write_together({path: text.encode()})


def flush(path: Path) -> None:
    """Have the system write what it holds of a file to the disk."""
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def read_lines(path: Path, shape: Any) -> tuple[list[Row], list[int]]:  # noqa: ANN401
    """Lines of JSON in order of step, and the numbers of those that are damaged.

    An unfinished last line, as a killed process leaves it, is no damage.
    """
    rows, damaged = list[Row](), list[int]()
    *lines, unfinished = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    for number, line in enumerate([*lines, unfinished], start=1):
        try:
            row = _json(line.decode())
            check_shape(row, shape)
            if row["step"] <= (rows[-1]["step"] if rows else -1):
                raise ValueError("`step` must grow")
            rows.append(row)
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged.append(number)
    return rows, [number for number in damaged if number <= len(lines)]


def read_lines_backwards(path: Path, shape: Any) -> Iterator[Row]:  # noqa: ANN401
    """Whole lines of JSON from the last one on, damaged ones left out."""
    for line in reversed(path.read_bytes().split(b"\n") if path.is_file() else []):
        with suppress(ValueError, TypeError, RecursionError):
            row = _json(line.decode())
            check_shape(row, shape)
            yield row


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write compressed arrays without pickles."""
    write_together({path: npz_bytes(arrays)})


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """What `write_npz` writes."""
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_npz(
    path: Path, *needed: str, way_out: str = "Write it with numpy.savez, numbers as numbers."
) -> dict[str, np.ndarray]:
    """Read all arrays of an NPZ file; object arrays are refused.

    Args:
        path: The file.
        needed: Names that it must hold.
        way_out: What to do where it can't be read, or lacks one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be read as arrays, would unpack to far more than its size, or
            lacks one that is needed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be an .npz file; found nothing there. {way_out}")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > max(_LARGE, _RATIO * path.stat().st_size):
            raise ValueError(f"{path.stat().st_size:,} bytes that unpack to {size:,}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # a damaged archive raises what its many parts raise
        message = f"`{path}` must be an .npz file of plain arrays; got {error!r}"
        raise ValueError(f"{message}. {way_out}") from error
    if missing := [name for name in needed if name not in arrays]:
        held = ", ".join(sorted(arrays)) or "none"
        raise ValueError(f"`{path}` must hold an array {missing[0]}; got {held}. {way_out}")
    return arrays
