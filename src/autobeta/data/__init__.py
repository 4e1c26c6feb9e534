"""Data sets: images on demand, with the factors that made them where they are known."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import UInt8

from autobeta import registry
from autobeta.data._batches import Batches
from autobeta.data._cache import Report, data_root
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._factors import FactorSpace
from autobeta.data._pixels import decode, fit
from autobeta.data._verify import VerifyResult, check, verify

__all__ = [
    "Batches",
    "DataOptions",
    "FactorDataset",
    "FactorSpace",
    "VerifyResult",
    "check",
    "data_root",
    "load_data",
    "prepare_data",
    "read_image",
    "verify",
]


def load_data(
    name_or_path: str, options: DataOptions = DEFAULT_OPTIONS, root: Path | None = None
) -> FactorDataset:
    """Open a data set by name, or the user's own images by path.

    Args:
        name_or_path: Name of a module of this folder, else a folder of images, else an .npy or
            .npz file.
        options: What the data set may be asked for.
        root: Cache folder; `data_root()` if left out.

    Raises:
        ValueError: If it is neither; the message lists the names.
    """
    module, options = _find(name_or_path, options)
    return module.load(root or data_root(), options)


def prepare_data(
    name_or_path: str,
    options: DataOptions = DEFAULT_OPTIONS,
    root: Path | None = None,
    *,
    progress: Report | None = None,
) -> Path | None:
    """Make the cache file of a data set ahead of its first use.

    Args:
        name_or_path: As for `load_data`.
        options: What the data set may be asked for.
        root: Cache folder; `data_root()` if left out.
        progress: Called with (images done, images in all); left out, a bar is shown where
            standard error is a terminal.

    Returns:
        The file; None for a data set that needs none.

    Raises:
        ValueError: If there is no such data set; the message lists the names.
    """
    module, options = _find(name_or_path, options)
    prepare = getattr(module, "prepare", None)
    return prepare(root or data_root(), options, progress) if prepare else None


def _find(name_or_path: str, options: DataOptions) -> tuple[ModuleType, DataOptions]:
    path = Path(name_or_path)
    if name_or_path not in registry.available("data"):
        if path.is_dir():
            return registry.load("data", "folder"), replace(options, path=path)
        if path.is_file():
            return registry.load("data", "arrays"), replace(options, path=path)
    return registry.load("data", name_or_path), options


def read_image(path: Path, size: int, channels: int) -> UInt8[np.ndarray, "size size channels"]:
    """One image file, brought to a size as the data set `folder` brings its images.

    Args:
        path: File that Pillow can read.
        size: Height and width, pixels.
        channels: 1 for grey, 3 for RGB.

    Raises:
        ValueError: If it can't be read as an image; the message names it.
    """
    return fit(decode(path), size, channels)
