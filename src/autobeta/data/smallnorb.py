"""SmallNORB: 48,600 grey stereo photographs of toys; the left image of each, from five factors.

Factors in order: category (animal, human, plane, truck, car), instance 0 to 9, elevation (30 to 70
degrees), azimuth (0 to 340 in steps of 20), lighting. The six published files are binary matrices:
dat (images of 96 x 96, two each), cat and info, for training (instances 4, 6, 7, 8, 9) and testing
(0, 1, 2, 3, 5); each may be gzipped. The published split is kept. Both together are the full
grid of factors, in a shuffled order. Scaling is bicubic with anti-aliasing.

Options read: `path` (the folder), `image_size`, `channels` (1), `unofficial`.
"""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Int

from autobeta.data._core.dataset import Images
from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import read_unzipped
from autobeta.data._files.reading import reading
from autobeta.settings import DataOptions

SOURCE = "LeCun, Huang and Bottou, 2004, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
LICENSE = "for research purposes; it cannot be sold"
CITATION = """@inproceedings{lecun2004learning,
  title = {Learning Methods for Generic Object Recognition with Invariance to Pose and Lighting},
  author = {LeCun, Yann and Huang, Fu Jie and Bottou, L{\\'e}on},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  year = {2004}
}"""
FACTORS = {"category": 5, "instance": 10, "elevation": 9, "azimuth": 18, "lighting": 6}
KINDS = dict.fromkeys(FACTORS, "categorical") | {"elevation": "ordinal", "azimuth": "cyclic"}
SIZE = 96
DISK = "199 MB in the cache at 64 pixels; 263 MB of files"
CHANNELS = (1,)
URL = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_PARTS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
_SUMS = (
    ("sha256:5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873", 131896188),
    ("sha256:2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa", 348),
    ("sha256:de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32", 71052),
    ("sha256:cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474", 130799817),
    ("sha256:ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff", 347),
    ("sha256:16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2", 10428),
)
_NAMES = [f"smallnorb-{p}-{kind}.mat.gz" for p in _PARTS for kind in ("dat", "cat", "info")]
FILES = dict(zip(_NAMES, _SUMS, strict=True))

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
_TYPES = {0x1E3D4C55: "u1", 0x1E3D4C54: "<i4", 0x1E3D4C56: "<i2", 0x1E3D4C51: "<f4"}
_CHUNK = 256


def read_matrix(path: Path) -> np.ndarray:
    """A binary matrix as SmallNORB has them: magic number, axes, sizes, values.

    The header has at least three sizes, of which a matrix of fewer axes uses the first.
    """
    data = read_unzipped(path)
    with reading(path, "whole binary matrix", "Fetch it again."):
        header = np.frombuffer(data[: len(data[:8]) // 4 * 4], "<i4")
        if len(header) < 2 or int(header[0]) not in _TYPES or not 1 <= header[1] <= 8:
            raise ValueError(f"{data[:8].hex()} in place of a magic number and a number of axes")
        axes = int(header[1])
        start = 8 + 4 * max(3, axes)
        shape = tuple(np.frombuffer(data[8:start], "<i4")[:axes].tolist())
        dtype = np.dtype(_TYPES[int(header[0])])
        size = math.prod(shape) * dtype.itemsize
        if len(data) - start != size:
            raise ValueError(f"{len(data) - start} bytes in place of {size} for shape {shape}")
        return np.frombuffer(data, dtype, offset=start).reshape(shape)


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Left images for training, then for testing, with their factors."""
    parts = [_part(*paths[:3]), _part(*paths[3:])]
    factors = np.concatenate([part for _, part in parts])
    index = SPACE.index(factors)
    if len(np.unique(index)) != len(index):
        raise ValueError(
            f"`{paths[2].parent}` must have each combination of factors once; got some twice."
        )
    num_train = len(parts[0][1])
    starts = [(images, i) for images, _ in parts for i in range(0, len(images), _CHUNK)]
    return Conversion(
        num_images=len(factors),
        images=(images[i : i + _CHUNK] for images, i in starts),
        channels=1,
        source="official files, left camera",
        space=SPACE,
        factors=factors,
        splits={"train": np.arange(num_train), "test": np.arange(num_train, len(factors))},
    )


def _part(dat: Path, cat: Path, info: Path) -> tuple[Images, Int[np.ndarray, "images 5"]]:
    stereo, category, rest = (read_matrix(path) for path in (dat, cat, info))
    count = len(stereo)
    if stereo.shape[1:] != (2, 96, 96) or category.shape != (count,) or rest.shape != (count, 4):
        raise ValueError(
            f"`{dat}` and the files beside it must be of shape (N, 2, 96, 96), (N,) and "
            f"(N, 4); got {stereo.shape}, {category.shape} and {rest.shape}."
        )
    instance, elevation, azimuth, lighting = rest.T.astype(np.int64)
    values = [category.astype(np.int64), instance, elevation, azimuth // 2, lighting]
    return stereo[:, 0, :, :, None], np.stack(values, axis=1)
