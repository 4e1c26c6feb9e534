"""Reads arrays of HDF5 files in chunks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Hdf5Array:
    """An array in an HDF5 file: shape and type are known, values are read when asked for.

    Args:
        path: The file.
        name: Name of the array in it.
        shape: Shape.
        dtype: Type of its values.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """Parts of at most `rows` rows, in order.

        Raises:
            ValueError: If the file is damaged.
        """
        import h5py

        try:
            with h5py.File(self.path) as file:
                array = file[self.name]
                for start in range(0, self.shape[0], rows):
                    yield array[start : start + rows]
        except (OSError, RuntimeError) as error:
            raise _damaged(self.path, error) from error

    def read(self) -> np.ndarray:
        """The whole array; for small ones. Text comes as str.

        Raises:
            ValueError: If the file is damaged.
        """
        parts = [np.empty((0, *self.shape[1:]), self.dtype), *self.chunks(4096)]
        array = np.concatenate(parts)
        return np.char.decode(array.astype(bytes), "utf-8") if array.dtype.kind in "OS" else array


def open_hdf5(path: Path) -> dict[str, Hdf5Array]:
    """Arrays of an HDF5 file by name, those in groups as "group/name".

    Raises:
        ValueError: If it is none, or damaged.
    """
    import h5py

    found: dict[str, Hdf5Array] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            found[name] = Hdf5Array(path=path, name=name, shape=item.shape, dtype=item.dtype)

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"`{path}` must be a whole HDF5 file; got {error}. Fetch or save it again.")
