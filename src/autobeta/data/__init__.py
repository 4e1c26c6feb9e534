"""Data sets: images on demand, with the factors that made them where they are known."""

import difflib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import UInt8

from autobeta import registry
from autobeta.data._core.batches import Batches
from autobeta.data._core.cache import OnProgress, data_root
from autobeta.data._core.dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    held_out,
    with_validation,
)
from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.pixels import decode, fit, suffixes
from autobeta.data._core.prepare import Conversion, check_options, load, prepare
from autobeta.data._core.tensors import as_batch
from autobeta.data._core.verify import VerifyResult, check, verify
from autobeta.data._files import published
from autobeta.data._files.download import OfficialFile, fetch
from autobeta.data._files.reading import shown
from autobeta.data._objects import dataset_of
from autobeta.errors import MissingDataError

__all__ = [
    "Batches",
    "Conversion",
    "DataOptions",
    "FactorDataset",
    "FactorSpace",
    "OfficialFile",
    "VerifyResult",
    "as_batch",
    "as_dataset",
    "check",
    "data_root",
    "held_out",
    "load_data",
    "official_files",
    "prepare_data",
    "read_image",
    "verify",
    "with_validation",
]


def as_dataset(data: object, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Whatever a user has as a data set.

    That is a data set, as it is; a name or a path, as for `load_data`; an array of images, shape
    (n, H, W) or (n, H, W, C), under the rules of the data set `arrays`; or a torch `Dataset` whose
    items are images (Pillow's, or tensors with channels first) or tuples of an image and labels.
    All images of the last two are held in memory, as bytes. Something else is a TypeError, images
    or labels that break a rule a ValueError; other errors are as for `load_data`.

    Example:
        >>> as_dataset(np.zeros((20, 8, 8), np.uint8), DataOptions(image_size=32))
        <array: 20 images of 32 x 32 x 1 (18 train, 2 test); no factors>
    """
    if isinstance(data, FactorDataset):
        return data
    if isinstance(data, str | Path):
        return load_data(data, options)
    return dataset_of(data, options)


def load_data(
    name_or_path: str | Path, options: DataOptions = DEFAULT_OPTIONS, root: Path | None = None
) -> FactorDataset:
    """Open a data set by name, or the user's own images by path.

    A path is that of a folder of images, a folder that Hugging Face's `datasets` saved, or an
    .npy, .npz, .h5, .hdf5 or .parquet file. `root` is the cache folder, by default `data_root()`.

    If there is no such data set, a ValueError lists the names; nothing at the path, or files that
    are not at hand, are a MissingDataError.
    """
    module, name, options = _find(name_or_path, options)
    return load(module, name, options, root or data_root())


def prepare_data(
    name_or_path: str | Path,
    options: DataOptions = DEFAULT_OPTIONS,
    root: Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    download: bool = False,
) -> Path | None:
    """Make the cache file of a data set ahead of its first use; None for one that needs none.

    `on_progress` is called with (images done, images in all); left out, a bar is shown where
    standard error is a terminal. `download` fetches published files that are not in the cache
    folder, where they have an address; nothing else ever fetches. The rest is as for `load_data`,
    errors too; a disk without room is an OSError.
    """
    module, name, options = _find(name_or_path, options)
    root = root or data_root()
    if download:
        files = published.official_files(module, options)
        by_hand = getattr(module, "BY_HAND", "")
        if not any(file.url for file in files):
            how = f" Fetch them from {by_hand} with a browser." if by_hand else ""
            raise MissingDataError(f"{name} has no files that a program can fetch.{how}")
        fetch(root / name, files, by_hand)
    return prepare(module, name, options, root, on_progress)


def official_files(name: str, options: DataOptions = DEFAULT_OPTIONS) -> list[OfficialFile]:
    """Published files of a data set, of variants the one asked for; errors as `load_data`."""
    module = registry.load("data", name)
    check_options(module, name, options)
    return published.official_files(module, options)


def read_image(
    path: Path, size: int | None, channels: int
) -> UInt8[np.ndarray, "height width channels"]:
    """One image file, brought to a size as the data set `folder` brings its images.

    `size` is height and width, pixels, and None keeps those of the image; `channels` are 1 (grey)
    or 3 (RGB). A file that can't be read as an image is a ValueError that names it.
    """
    return fit(decode(path), size, channels)


def _find(name_or_path: str | Path, options: DataOptions) -> tuple[ModuleType, str, DataOptions]:
    text = str(name_or_path)
    if text in registry.available("data"):
        module = registry.load("data", text)
        if options.image_size is None:
            own = getattr(module, "SIZE", 64 if hasattr(module, "render") else None)
            options = replace(options, image_size=own)
        return module, text, options
    path = Path(text).expanduser()
    if not path.exists():
        if path.suffix or len(path.parts) > 1 or text.endswith("/") or text.startswith(("~", ".")):
            near = difflib.get_close_matches(path.name, registry.listed("data"), n=1)
            hint = f" Did you mean the data set {near[0]!r}?" if near else ""
            raise MissingDataError(
                f"no folder or file at `{shown(path.absolute())}`. If it was moved, give its new "
                f"place.{hint}"
            )
        registry.check_name("data", text)  # says what there is
    kind = _kind_of(path)
    return registry.load("data", kind), kind, replace(options, path=path.resolve())


def _kind_of(path: Path) -> str:
    own = {name: registry.load("data", name) for name in ("hdf5", "huggingface", "arrays")}
    if path.is_dir():
        if any((path / marker).exists() for marker in own["huggingface"].MARKERS):
            return "huggingface"
        kinds = Counter(
            file.suffix.lower() for file in registry.load("data", "folder").visible(path)
        )
        images = sum(kinds[suffix] for suffix in suffixes())
        return "huggingface" if kinds[".parquet"] and kinds[".parquet"] >= images else "folder"
    suffix = path.suffix.lower()
    found = [name for name, module in own.items() if suffix in module.SUFFIXES]
    if not found:
        endings = ", ".join(ending for module in own.values() for ending in module.SUFFIXES)
        raise ValueError(
            f"`data` must be a folder of images or a file of arrays ({endings}); got "
            f"`{shown(path)}`. Save arrays with numpy.savez."
        )
    return found[0]
