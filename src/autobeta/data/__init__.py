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
from autobeta.data._download import fetch
from autobeta.data._factors import FactorSpace
from autobeta.data._pixels import decode, fit
from autobeta.data._verify import VerifyResult, check, verify
from autobeta.errors import MissingDataError

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
    download: bool = False,
) -> Path | None:
    """Make the cache file of a data set ahead of its first use.

    Args:
        name_or_path: As for `load_data`.
        options: What the data set may be asked for.
        root: Cache folder; `data_root()` if left out.
        progress: Called with (images done, images in all); left out, a bar is shown where
            standard error is a terminal.
        download: Fetch published files that are not in the cache folder, where they have an
            address. Nothing else ever fetches.

    Returns:
        The file; None for a data set that needs none.

    Raises:
        ValueError: If there is no such data set; the message lists the names.
        MissingDataError: If files are neither there nor can be had.
    """
    module, options = _find(name_or_path, options)
    root = root or data_root()
    if download:
        if not hasattr(module, "official_files"):
            how = getattr(module, "BY_HAND", "")
            raise MissingDataError(
                f"{name_or_path} has no files that a program can fetch."
                + (f" Fetch them from {how} with a browser." if how else "")
            )
        files = module.official_files(options)
        fetch(root / name_or_path, files, getattr(module, "BY_HAND", ""))
    prepare = getattr(module, "prepare", None)
    return prepare(root, options, progress) if prepare else None


def _find(name_or_path: str, options: DataOptions) -> tuple[ModuleType, DataOptions]:
    path = Path(name_or_path)
    if name_or_path not in registry.available("data"):
        kind = None
        if path.is_dir():
            saved = any(
                (path / marker).exists() for marker in ("dataset_dict.json", "dataset_info.json")
            )
            kind = "huggingface" if saved else "folder"
        elif path.is_file():
            kind = "hdf5" if path.suffix in (".h5", ".hdf5") else "arrays"
        if kind is not None:
            return registry.load("data", kind), replace(options, path=path)
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
