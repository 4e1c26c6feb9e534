"""Arrays that are read in parts, without holding them: from .npy, .npz and HDF5 files."""

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from io import BufferedIOBase
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from autobeta.data._files.reading import check_unpacked, reading, shown

_KIND = "whole .npy or .npz file of plain arrays"
_HDF5 = "whole HDF5 file"

Opener = Callable[[], AbstractContextManager[BufferedIOBase]]


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array somewhere: shape and type are known, values are read when asked for.

    `chunks` is a function from a number of rows to the parts of at most so many, in order; it
    raises ValueError if the file is damaged.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: Callable[[int], Iterator[np.ndarray]]

    def read(self) -> np.ndarray:
        """The whole array; for small ones."""
        return np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self.chunks(4096)])


def held(array: np.ndarray) -> StoredArray:
    """An array in memory."""
    return StoredArray(shape=array.shape, dtype=array.dtype, chunks=partial(_parts, array))


def open_arrays(path: Path) -> dict[str, StoredArray]:
    """Arrays of an .npz file by name, or the one of an .npy file under the name "".

    Only headers are read. Arrays that only a pickle can give are left out.
    """
    found = {}
    with reading(path, _KIND):
        if path.suffix.lower() == ".npy":
            found[""] = _array(path, "", lambda: path.open("rb"), path.stat().st_size)
        else:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            for info in members:
                name = info.filename.removesuffix(".npy")
                check_unpacked(info.compress_size, info.file_size)
                opener = partial(_member, path, info.filename)
                found[name] = _array(path, name, opener, info.file_size)
    return {name: array for name, array in found.items() if array is not None}


def open_hdf5(path: Path) -> dict[str, StoredArray]:
    """Arrays of an HDF5 file by name, those in groups as "group/name".

    Arrays whose values lie in other files are left out. Without h5py, an ImportError.
    """
    h5py = _load_h5py(path)
    found: dict[str, StoredArray] = {}

    def visit(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
            return
        if item.shape:
            check_unpacked(item.id.get_storage_size(), math.prod(item.shape) * item.dtype.itemsize)
            chunks = partial(_hdf5_parts, path, name)
            found[name] = StoredArray(shape=item.shape, dtype=item.dtype, chunks=chunks)

    with reading(path, _HDF5), h5py.File(path) as file:
        file.visititems(visit)
    return found


def _parts(array: Any, rows: int) -> Iterator[np.ndarray]:  # noqa: ANN401 - NumPy's or h5py's
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _load_h5py(path: Path) -> ModuleType:
    try:
        return import_module("h5py")
    except ImportError as error:
        raise ImportError(
            f"`h5py` must be installed to read `{shown(path)}`; got: {error}. "
            'Run: pip install "autobeta[hdf5]"'
        ) from error


def _hdf5_parts(path: Path, name: str, rows: int) -> Iterator[np.ndarray]:
    h5py = _load_h5py(path)
    with reading(path, _HDF5), h5py.File(path) as file:
        yield from _parts(file[name], rows)


@contextmanager
def _member(path: Path, name: str) -> Iterator[BufferedIOBase]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
        yield cast(BufferedIOBase, stream)


def _array(path: Path, name: str, opener: Opener, size: int) -> StoredArray | None:
    """An array whose stream, header included, has `size` bytes; None if it is pickled."""
    with opener() as stream:
        npy: Any = np.lib.format
        first = npy.read_magic(stream) == (1, 0)
        read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
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
