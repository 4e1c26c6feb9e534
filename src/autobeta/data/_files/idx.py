"""Sets of four IDX files, as MNIST and Fashion-MNIST are published."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import read_unzipped
from autobeta.data._files.reading import reading


def convert_idx(paths: list[Path], space: FactorSpace) -> Conversion:
    """Images and labels of four files: images and labels for training, the same for testing."""
    train, test = read_idx(paths[0], 3), read_idx(paths[2], 3)
    labels = np.concatenate([read_idx(paths[1], 1), read_idx(paths[3], 1)]).astype(np.int64)
    images = np.concatenate([train, test])[..., None]
    if len(labels) != len(images) or labels.max(initial=0) >= space.sizes[0]:
        raise ValueError(
            f"labels of `{paths[1].parent}` must be {len(images)} numbers 0..{space.sizes[0] - 1}"
            f"; got {len(labels)}, up to {labels.max(initial=0)}. Fetch the four files again."
        )
    return Conversion(
        num_images=len(images),
        images=(images[i : i + 512] for i in range(0, len(images), 512)),
        channels=1,
        source="official IDX files",
        space=space,
        factors=labels[:, None],
        splits={"train": np.arange(len(train)), "test": np.arange(len(train), len(images))},
    )


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """Array of an IDX file of bytes, gzipped or not."""
    data = read_unzipped(path)
    magic, start = 0x800 + num_axes, 4 + 4 * num_axes
    found = int.from_bytes(data[:4], "big")
    with reading(path, "whole IDX file", "Fetch the file again."):
        if len(data) < start or found != magic:
            raise ValueError(f"{found:#x} in place of {magic:#x}, in {len(data)} bytes")
        shape = tuple(np.frombuffer(data[4:start], ">u4").tolist())
        if len(data) - start != (size := math.prod(shape)):
            raise ValueError(f"{len(data) - start} bytes in place of {size} for shape {shape}")
        return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
