"""An array that is read in parts, from whatever container."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


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

    def chunks(rows: int) -> Iterator[np.ndarray]:
        for start in range(0, len(array), rows):
            yield array[start : start + rows]

    return StoredArray(shape=array.shape, dtype=array.dtype, chunks=chunks)
