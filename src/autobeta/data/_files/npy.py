"""Reads arrays of .npy and .npz files in chunks, without pickles and without holding them."""

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np

from autobeta.data._files.reading import check_unpacked, reading
from autobeta.data._files.stored import StoredArray

_KIND = "whole .npy or .npz file of plain arrays"

Opener = Callable[[], AbstractContextManager[BufferedIOBase]]


def open_arrays(path: Path) -> dict[str, StoredArray]:
    """Arrays of an .npz file by name, or the one of an .npy file under the name "".

    Only headers are read. Arrays that only a pickle can give are left out.

    Raises:
        ValueError: If the file is neither, or damaged, or would unpack to far too much.
    """
    found = {}
    with reading(path, _KIND):
        if path.suffix.lower() == ".npy":
            found[""] = _array(path, "", lambda: path.open("rb"), path.stat().st_size)
        else:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            for info in members:
                name, opener = info.filename.removesuffix(".npy"), _member(path, info.filename)
                check_unpacked(info.compress_size, info.file_size)
                found[name] = _array(path, name, opener, info.file_size)
    return {name: array for name, array in found.items() if array is not None}


def _member(path: Path, name: str) -> Opener:
    @contextmanager
    def opened() -> Iterator[BufferedIOBase]:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            yield cast(BufferedIOBase, stream)

    return opened


def _array(path: Path, name: str, opener: Opener, size: int) -> StoredArray | None:
    """An array whose stream, header included, has `size` bytes; None if it is pickled."""
    with opener() as stream:
        shape, fortran_order, dtype = _read_header(stream)
        start = stream.tell()
    if dtype.hasobject:
        return None
    if fortran_order and len(shape) > 1:
        raise ValueError(f"{name or 'the array'} in Fortran order; save a C-ordered copy of it")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed != size - start:
        raise ValueError(
            f"{size - start:,} bytes for {name or 'the array'} of {dtype} and shape {shape}, "
            f"which takes {claimed:,}"
        )

    def chunks(rows: int) -> Iterator[np.ndarray]:
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        with reading(path, _KIND), opener() as stream:
            stream.read(start)
            for first in range(0, shape[0], rows):
                count = min(rows, shape[0] - first)
                data = stream.read(count * row_bytes)
                if len(data) != count * row_bytes:
                    raise EOFError(f"an end in row {first + len(data) // max(row_bytes, 1)}")
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])

    return StoredArray(shape=shape, dtype=dtype, chunks=chunks)


def _read_header(stream: BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read: Any = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    return read(stream)
