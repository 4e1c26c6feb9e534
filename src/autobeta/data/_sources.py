"""Where images(index) comes from: an array, a memory map, a bit-packed memory map."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from autobeta.data._cache import remove_leftovers
from autobeta.data._dataset import Images, Index
from autobeta.data._factors import check_index


def from_array(
    images: UInt8[np.ndarray, "images height width channels"],
) -> Callable[[Index], Images]:
    """Images held in memory or in a memory map, 0..255."""

    def read(index: Index) -> Images:
        check_index(index, len(images))
        return np.asarray(images[index])

    return read


def from_packed(
    packed: UInt8[np.ndarray, "images bytes"], image_shape: tuple[int, int, int]
) -> Callable[[Index], Images]:
    """Binary images of one bit a pixel, the first pixel in the highest bit; given as 0 and 255."""

    def read(index: Index) -> Images:
        check_index(index, len(packed))
        pixels = np.unpackbits(packed[index], axis=1)
        np.negative(pixels, out=pixels)  # 0 -> 0, 1 -> 255 in uint8
        return np.asarray(pixels).reshape(-1, *image_shape)

    return read


def open_map(path: Path, shape: tuple[int, ...] | None = None) -> UInt8[np.ndarray, "..."]:
    """Memory map of a prepared .npy file, read only; leftovers of killed processes go.

    Args:
        path: The file.
        shape: What its shape must be; None takes any.

    Raises:
        ValueError: If the file is damaged or of another shape.
    """
    remove_leftovers(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"`{path}` must be a prepared data file; got {error}. Delete it to prepare it again."
        ) from error
    if array.dtype != np.uint8 or (shape is not None and array.shape != shape):
        raise ValueError(
            f"`{path}` must hold uint8 of shape {shape}; got {array.dtype} of {array.shape}. "
            "Delete it to prepare it again."
        )
    return array
