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
_AT_ONCE = 1 << 28  # bytes of an array in Fortran order, which is read whole

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
        """The whole array, a single number as a row; for small ones."""
        return np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self.chunks(4096)])


def held(array: np.ndarray) -> StoredArray:
    """An array in memory."""
    return StoredArray(shape=array.shape, dtype=array.dtype, chunks=partial(_parts, array))


def open_arrays(path: Path) -> dict[str, StoredArray]:
    """Arrays of an .npz file by name, or the one of an .npy file under the name "".

    Only headers are read. An array that only a pickle can give has its shape and the dtype
    object, and no values.
    """
    found: dict[str, StoredArray] = {}
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
    return found


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


def _pickled(name: str, rows: int) -> Iterator[np.ndarray]:
    del rows
    raise ValueError(
        f"`{name or 'the array'}` must be numbers or texts; got dtype object, which only a pickle "
        "holds, and pickles are never loaded. Save it as numbers, or as texts by .astype(str)."
    )
    yield np.empty(0)  # it is a generator, as the others


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


def _array(path: Path, name: str, opener: Opener, size: int) -> StoredArray:
    """An array whose stream, header included, has `size` bytes."""
    with opener() as stream:
        npy: Any = np.lib.format
        first = npy.read_magic(stream) == (1, 0)
        read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
        start = stream.tell()
    if dtype.hasobject:
        return StoredArray(shape=shape, dtype=dtype, chunks=partial(_pickled, name))
    claimed = math.prod(shape) * dtype.itemsize
    turned = fortran_order and len(shape) > 1
    if turned and claimed > _AT_ONCE:
        raise ValueError(f"{name or 'the array'} in Fortran order; save a C-ordered copy of it")
    if min(shape, default=0) < 0 or claimed != size - start:
        raise ValueError(
            f"{size - start:,} bytes for {name or 'the array'} of {dtype} and shape {shape}, "
            f"which takes {claimed:,}"
        )

    def chunks(rows: int) -> Iterator[np.ndarray]:
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        with reading(path, _KIND), opener() as stream:
            stream.read(start)
            if turned:  # its rows lie apart
                yield from _parts(
                    np.frombuffer(stream.read(), dtype).reshape(shape, order="F"), rows
                )
                return
            number = shape[0] if shape else 1
            for first in range(0, number, rows):
                count = min(rows, number - first)
                data = stream.read(count * row_bytes)
                if len(data) != count * row_bytes:
                    raise EOFError(f"an end in row {first + len(data) // max(row_bytes, 1)}")
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])

    return StoredArray(shape=shape, dtype=dtype, chunks=chunks)
