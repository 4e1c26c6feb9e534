"""Where images(index) comes from: an array, a memory map, a bit-packed memory map."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8, UInt32
from torch import Tensor

from autobeta.data._core.cache import checksums_of
from autobeta.data._core.dataset import Images, Index
from autobeta.data._core.factors import check_index
from autobeta.data._files.reading import reading, shown

_COPIED = 1 << 26  # bytes that are copied to a device at once


@dataclass(frozen=True, kw_only=True)
class StoredImages:
    """Images in one array: called with indices, it gives uint8 images 0..255.

    A row of `table` is an image: its pixels or, `packed`, a bit for each, the first pixel in the
    highest. `checksums`, the CRC-32 of each row, are compared when a row is first read.
    """

    table: UInt8[np.ndarray, "..."]
    image_shape: tuple[int, int, int]
    packed: bool
    checksums: UInt32[np.ndarray, " images"] | None = None
    _checked: Bool[np.ndarray, " images"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_checked", np.full(len(self.table), self.checksums is None))

    def __call__(self, index: Index) -> Images:
        check_index(index, len(self.table))
        rows = np.asarray(self.table[index])
        self._check(index, rows)
        if self.packed:
            rows = np.unpackbits(rows, axis=1)
            np.negative(rows, out=rows)  # 0 -> 0, 1 -> 255 in uint8
        return rows.reshape(-1, *self.image_shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, such as a loader's: the place of a memory map, not its bytes."""
        table, place = self.table, (np.asarray, (self.table,))
        if isinstance(table, np.memmap) and isinstance(table.base, mmap.mmap):
            place = (open_map, (Path(str(table.filename)), table.shape))
        return _again, (*place, self.image_shape, self.packed, self.checksums)

    def _check(self, index: Index, rows: UInt8[np.ndarray, "..."]) -> None:
        """Compare rows with their checksums, each row once in a process."""
        new = np.flatnonzero(~self._checked[index])
        if self.checksums is None or not len(new):
            return
        wrong = checksums_of(rows[new]) != self.checksums[index[new]]
        if wrong.any():
            file = shown(getattr(self.table, "filename", None) or "images")
            raise ValueError(
                f"`{file}` must read back as it was written; image {index[new[wrong][0]]} does "
                "not. Check the disk, then delete the file to have the data prepared again."
            )
        self._checked[index] = True

    def read_ahead(self, index: Index) -> None:
        """Ask the system to bring images of a memory map into memory soon, many at once."""
        table, advice = self.table, getattr(mmap, "MADV_WILLNEED", None)
        if advice is None or not isinstance(table, np.memmap):
            return
        file, row = table.base, table[:1].nbytes
        if not isinstance(file, mmap.mmap):
            return  # a part of a map
        start = table.offset % mmap.ALLOCATIONGRANULARITY
        for i in index.tolist():
            first = start + i * row
            page = first - first % mmap.PAGESIZE
            file.madvise(advice, page, first + row - page)

    def on_device(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """Copy the table to a device; a function from indices there to the same images.

        No index is checked, since that would stop the device.
        """
        table = torch.empty(self.table.shape, dtype=torch.uint8, device=device)
        rows = max(1, _COPIED * len(self.table) // self.table.nbytes)
        for start in range(0, len(table), rows):
            part = np.array(self.table[start : start + rows])
            self._check(np.arange(start, start + len(part)), part)
            table[start : start + rows] = torch.from_numpy(part)
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)

        def read(index: Tensor) -> Tensor:
            found = table[index]
            if self.packed:  # (B, bytes) -> (B, bytes, 8)
                found = (found.unsqueeze(-1) >> shifts & 1) * 255
            return found.reshape(-1, *self.image_shape)

        return read


def _again(
    read: Callable[..., UInt8[np.ndarray, "..."]],
    place: tuple[Any, ...],
    image_shape: tuple[int, int, int],
    packed: bool,
    checksums: UInt32[np.ndarray, " images"] | None,
) -> StoredImages:
    table = read(*place)
    return StoredImages(table=table, image_shape=image_shape, packed=packed, checksums=checksums)


def from_array(images: UInt8[np.ndarray, "images height width channels"]) -> StoredImages:
    """Images held in memory or in a memory map, 0..255."""
    return StoredImages(table=images, image_shape=images.shape[1:], packed=False)


def open_map(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """Memory map of a prepared .npy file, read only."""
    with reading(path, "prepared data file", "Delete it to have the data prepared again."):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != np.uint8 or array.shape != shape:
            raise ValueError(f"{array.dtype} of {array.shape} in place of uint8 of {shape}")
    return array
