"""Reads arrays of .npy and .npz files in chunks, without pickles and without holding them."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """An array on disk: shape and type are known, values are read when asked for.

    Args:
        path: The file, named in messages.
        name: Name of the array in it; "" in an .npy file.
        shape: Shape.
        dtype: Type of its values.
        open: Opens the stream of the array, header included.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    open: Callable[[], AbstractContextManager[BufferedIOBase]]

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """Parts of at most `rows` rows, in order.

        Raises:
            ValueError: If the file ends early or is damaged.
        """
        row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        try:
            with self.open() as stream:
                _read_header(stream)
                for start in range(0, self.shape[0], rows):
                    count = min(rows, self.shape[0] - start)
                    data = stream.read(count * row_bytes)
                    if len(data) != count * row_bytes:
                        raise EOFError(f"it ends in row {start + len(data) // max(row_bytes, 1)}")
                    yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        except (EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise _damaged(self.path, error) from error

    def read(self) -> np.ndarray:
        """The whole array; for small ones.

        Raises:
            ValueError: If the file ends early or is damaged.
        """
        return np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self.chunks(4096)])


def open_arrays(path: Path) -> dict[str, ArrayFile]:
    """Arrays of an .npz file by name, or the one of an .npy file under the name "".

    Only headers are read. Arrays that only a pickle can give are left out.

    Raises:
        ValueError: If the file is neither, or damaged.
    """
    try:
        if path.suffix == ".npy":
            found = [_describe(path, "", lambda: path.open("rb"))]
        else:
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if name.endswith(".npy")]
            found = [_describe(path, name[:-4], _member(path, name)) for name in members]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error
    return {array.name: array for array in found if array is not None}


def _member(path: Path, name: str) -> Callable[[], AbstractContextManager[BufferedIOBase]]:
    @contextmanager
    def opened() -> Iterator[BufferedIOBase]:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            yield cast(BufferedIOBase, stream)

    return opened


def _describe(
    path: Path, name: str, opener: Callable[[], AbstractContextManager[BufferedIOBase]]
) -> ArrayFile | None:
    with opener() as stream:
        shape, fortran_order, dtype = _read_header(stream)
    if dtype.hasobject:
        return None
    if fortran_order and len(shape) > 1:
        raise ValueError(f"{name or 'the array'} is in Fortran order; save a C-ordered copy of it")
    return ArrayFile(path=path, name=name, shape=shape, dtype=dtype, open=opener)


def _read_header(stream: BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read: Any = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    return read(stream)


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"`{path}` must be a whole .npy or .npz file of plain arrays; got {error}. "
        "Fetch or save it again."
    )
