"""Where images(index) comes from: an array, a memory map, a bit-packed memory map."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from autobeta.data._cache import remove_leftovers
from autobeta.data._dataset import Images, Index
from autobeta.data._factors import check_index

_COPIED = 1 << 26  # bytes that are copied to a device at once


@dataclass(frozen=True, kw_only=True)
class StoredImages:
    """Images in one array: called with indices, it gives uint8 images 0..255.

    Args:
        table: A row an image: its pixels, or, packed, its bits.
        image_shape: (height, width, channels).
        packed: Whether a row has one bit a pixel, the first pixel in the highest bit.
    """

    table: UInt8[np.ndarray, "..."]
    image_shape: tuple[int, int, int]
    packed: bool

    def __call__(self, index: Index) -> Images:
        check_index(index, len(self.table))
        rows = np.asarray(self.table[index])
        if self.packed:
            rows = np.unpackbits(rows, axis=1)
            np.negative(rows, out=rows)  # 0 -> 0, 1 -> 255 in uint8
        return rows.reshape(-1, *self.image_shape)

    def read_ahead(self, index: Index) -> None:
        """Ask the system to bring images of a memory map into memory soon; it is not waited for.

        Reading a page that is not there takes the disk's time, one after the other; asked for
        ahead, many are read at once.
        """
        table, advice = self.table, getattr(mmap, "MADV_WILLNEED", None)
        if advice is None or not isinstance(table, np.memmap):
            return
        file, row = table.base, table[:1].nbytes
        if not isinstance(file, mmap.mmap):
            return  # a part of a map
        start = table.offset % mmap.ALLOCATIONGRANULARITY
        for i in index.tolist():
            file.madvise(advice, *whole_pages(start + i * row, row))

    def on_device(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """Copy the table to a device; the same images from indices that are there.

        Returns:
            Function from int64 indices, shape (batch,), to uint8 images (batch, height, width,
            channels); no index is checked, since that would stop the device.
        """
        table = torch.empty(self.table.shape, dtype=torch.uint8, device=device)
        rows = max(1, _COPIED * len(self.table) // self.table.nbytes)
        for start in range(0, len(table), rows):
            part = np.array(self.table[start : start + rows])
            table[start : start + rows] = torch.from_numpy(part)
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)

        def read(index: Tensor) -> Tensor:
            found = table[index]
            if self.packed:  # (B, bytes) -> (B, bytes, 8)
                found = (found.unsqueeze(-1) >> shifts & 1) * 255
            return found.reshape(-1, *self.image_shape)

        return read


def whole_pages(first: int, length: int) -> tuple[int, int]:
    """Where the page of a first byte begins, and the length from there to the end.

    Example:
        >>> whole_pages(mmap.PAGESIZE + 100, 12) == (mmap.PAGESIZE, 112)
        True
    """
    page = first - first % mmap.PAGESIZE
    return page, first + length - page


def from_array(images: UInt8[np.ndarray, "images height width channels"]) -> StoredImages:
    """Images held in memory or in a memory map, 0..255."""
    height, width, channels = images.shape[1:]
    return StoredImages(table=images, image_shape=(height, width, channels), packed=False)


def from_packed(
    packed: UInt8[np.ndarray, "images bytes"], image_shape: tuple[int, int, int]
) -> StoredImages:
    """Binary images of one bit a pixel, the first pixel in the highest bit; given as 0 and 255."""
    return StoredImages(table=packed, image_shape=image_shape, packed=True)


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
