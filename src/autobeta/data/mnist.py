"""MNIST: 70,000 grey handwritten digits, 28x28 scaled to the training size; four official files.

The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte, each as it is or with .gz. Put them into `mnist/` in the cache folder, or
give their folder as `path`; they are then copied to the cache, so `path` is needed once. The
official test part is the held-out part. Scaling is bicubic with anti-aliasing (Pillow).

Options read: `path` (the folder), `image_size` (32, 64, 128), `channels` (1).
"""

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from autobeta.data._cache import Report, write_array
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    Index,
    check_options,
)
from autobeta.data._factors import FactorSpace, check_index
from autobeta.data._pixels import fit
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError

SOURCE = "LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/"
LICENSE = "CC BY-SA 3.0"
CITATION = """@article{lecun1998mnist,
  author = {Yann LeCun and L{\\'e}on Bottou and Yoshua Bengio and Patrick Haffner},
  title = {Gradient-based learning applied to document recognition},
  journal = {Proceedings of the IEEE},
  volume = {86},
  number = {11},
  pages = {2278--2324},
  year = {1998},
}"""
FACTORS = {"digit": 10}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_URL = "https://storage.googleapis.com/cvdf-datasets/mnist"
_CHUNK = 512


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open MNIST; the first time the images are scaled into the cache folder.

    Args:
        root: Cache folder; `mnist/` in it takes 287 MB at 64 pixels.
        options: See the module.

    Raises:
        MissingDataError: If a file is missing; the message says how to get it.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    images = open_map(prepare(root, options))
    _, train, _, test = _files(root, options.path)
    num_train = len(train_labels := read_idx(train, 1))
    labels = np.concatenate([train_labels, read_idx(test, 1)]).astype(np.int64)
    if len(labels) != len(images) or labels.max(initial=0) > 9:
        raise ValueError(
            f"labels of `{train.parent}` must be {len(images)} digits 0..9; got {len(labels)}, "
            f"up to {labels.max(initial=0)}. Fetch the four files again."
        )

    def digits(index: Index) -> Int[np.ndarray, "batch 1"]:
        check_index(index, len(labels))
        return labels[index][:, None]

    return FactorDataset(
        name="mnist",
        source="official IDX files",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=SPACE,
        factor_values=digits,
        splits={"train": np.arange(num_train), "test": np.arange(num_train, len(images))},
    )


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Scale the images into the cache folder if that is not done; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: If a file is missing.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    check_options("mnist", options, channels=(1,))
    files = _files(root, options.path)
    size = options.image_size
    digest = hashlib.sha256(files[0].read_bytes() + files[2].read_bytes()).hexdigest()[:12]
    cache = root / "mnist" / f"images-{size}-{digest}.npy"
    if not cache.exists():
        images = np.concatenate([read_idx(files[0], 3), read_idx(files[2], 3)])
        write_array(cache, (len(images), size, size, 1), _scaled(images, size), progress=progress)
    _keep(files, root / "mnist")
    return cache


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """Array of an IDX file of bytes, gzipped or not.

    Args:
        path: The file.
        num_axes: Number of axes that it must have: 3 for images, 1 for labels.

    Raises:
        ValueError: If the magic number, the axes or the number of bytes is wrong.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"`{path}` must be a whole gzip file; got {error}. Fetch it.") from error
    magic = 0x800 + num_axes
    start = 4 + 4 * num_axes
    found = int.from_bytes(data[:4], "big")
    if len(data) < start or found != magic:
        raise ValueError(
            f"`{path}` must begin with the IDX number {magic:#x}; got {found:#x} in {len(data)} "
            "bytes. Fetch the file again."
        )
    shape = tuple(np.frombuffer(data[4:start], ">u4").tolist())
    if len(data) - start != (size := int(np.prod(shape))):
        raise ValueError(
            f"`{path}` must hold {size} bytes for its shape {shape}; got {len(data) - start}. "
            "Fetch the file again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _scaled(images: np.ndarray, size: int) -> Iterator[UInt8[np.ndarray, "batch size size 1"]]:
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK, :, :, None]
        yield np.stack([fit(image, size, 1) for image in part])


def _files(root: Path, path: Path | None) -> list[Path]:
    """The four files, in the order of `FILES`; torchvision leaves them in MNIST/raw."""
    folder = path or root / "mnist"
    places = [folder, folder / "raw", folder / "MNIST" / "raw"]
    names = [[p / f for p in places for f in (name, f"{name}.gz")] for name in FILES]
    found = [[file for file in files if file.is_file()] for files in names]
    missing = [name for name, files in zip(FILES, found, strict=True) if not files]
    if missing:
        raise MissingDataError(
            f"MNIST must be in `{folder}`; found no {', '.join(missing)} there, with .gz or "
            f"without. Fetch {' '.join(f'{_URL}/{name}.gz' for name in missing)} and place them "
            f"in `{root / 'mnist'}`, or run `autobeta data prepare mnist --path FOLDER`."
        )
    return [files[0] for files in found]


def _keep(files: list[Path], folder: Path) -> None:
    """Copy the files into the cache folder where it has none of that name."""
    for name, file in zip(FILES, files, strict=True):
        if not (folder / name).exists() and not (folder / f"{name}.gz").exists():
            beside = folder / f"{file.name}.{os.getpid()}.tmp"
            shutil.copyfile(file, beside)
            beside.replace(folder / file.name)
