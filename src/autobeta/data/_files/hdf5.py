"""Reads arrays of HDF5 files in chunks."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from autobeta.data._files.reading import check_unpacked, reading
from autobeta.data._files.stored import StoredArray

_KIND = "whole HDF5 file"


def open_hdf5(path: Path) -> dict[str, StoredArray]:
    """Arrays of an HDF5 file by name, those in groups as "group/name".

    Arrays whose values lie in other files are left out.

    Raises:
        ValueError: If it is none, or damaged, or would unpack to far too much.
    """
    import h5py

    found: dict[str, StoredArray] = {}

    def visit(name: str, item: object) -> None:
        if (
            isinstance(item, h5py.Dataset)
            and item.shape
            and not (item.is_virtual or item.external)
        ):
            check_unpacked(item.id.get_storage_size(), math.prod(item.shape) * item.dtype.itemsize)
            chunks = _chunks_of(path, name)
            found[name] = StoredArray(shape=item.shape, dtype=item.dtype, chunks=chunks)

    with reading(path, _KIND), h5py.File(path) as file:
        file.visititems(visit)
    return found


def _chunks_of(path: Path, name: str) -> Callable[[int], Iterator[np.ndarray]]:
    import h5py

    def chunks(rows: int) -> Iterator[np.ndarray]:
        with reading(path, _KIND), h5py.File(path) as file:
            array = file[name]
            for start in range(0, len(array), rows):
                yield array[start : start + rows]

    return chunks
