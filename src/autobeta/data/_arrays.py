"""A user's own arrays of images, from any container: found, checked and brought to 8 bits."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from autobeta.data._cache import Report, fingerprint, write_array
from autobeta.data._dataset import (
    DataOptions,
    FactorDataset,
    Images,
    check_options,
    held_out,
)
from autobeta.data._factors import FactorSpace
from autobeta.data._pixels import fit_all
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError

_CHUNK = 256


@runtime_checkable
class StoredArray(Protocol):
    """An array on disk that is read in parts."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape."""

    @property
    def dtype(self) -> np.dtype:
        """Type of its values."""

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """Parts of at most `rows` rows, in order."""

    def read(self) -> np.ndarray:
        """The whole array."""


Arrays = Mapping[str, StoredArray]
Opener = Callable[[Path], Arrays]


def load_arrays(
    root: Path, name: str, options: DataOptions, suffixes: tuple[str, ...], opener: Opener
) -> FactorDataset:
    """Open a file of images, with a part held out at random.

    Args:
        root: Cache folder of all data sets.
        name: Name of the module.
        options: `path` is the file.
        suffixes: What its name may end in.
        opener: From the file to its arrays by name.

    Raises:
        MissingDataError: If there is no file at `path`.
        ValueError: If `path` is left out, the file breaks a rule, or an option can't be honoured.
    """
    images = open_map(prepare_arrays(root, name, options, None, suffixes, opener))
    path = _file(options, suffixes)
    table = _factor_table(opener(path), len(images))
    return FactorDataset(
        name=name,
        source=f"{len(images)} images of the file {path.name}",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=table and table[0],
        factor_values=table and table[1].__getitem__,
        splits=held_out(len(images), options),
    )


def prepare_arrays(
    root: Path,
    name: str,
    options: DataOptions,
    progress: Report | None,
    suffixes: tuple[str, ...],
    opener: Opener,
) -> Path:
    """Convert the images if that is not done or the file has changed; return the cache file.

    Args:
        root: Cache folder of all data sets.
        name: Name of the module.
        options: `path` is the file.
        progress: Called with (images done, images in all).
        suffixes: What its name may end in.
        opener: From the file to its arrays by name.

    Raises:
        MissingDataError: If there is no file at `path`.
        ValueError: As for `load_arrays`.
    """
    check_options(name, options)
    path = _file(options, suffixes)
    size = options.image_size
    key = fingerprint([path], size, options.channels)
    cache = root / name / f"{path.stem}-{key}.npy"
    if not cache.exists():
        images = _find_images(opener(path), path)
        channels = options.channels or (images.shape[3] if len(images.shape) == 4 else 1)
        write_array(
            cache,
            (images.shape[0], size, size, channels),
            (fit_all(part, size, channels) for part in _grey_levels(images)),
            progress=progress,
        )
    return cache


def _file(options: DataOptions, suffixes: tuple[str, ...]) -> Path:
    kinds = " or ".join(suffixes)
    if options.path is None:
        raise ValueError(f"`path` must be an {kinds} file; got None. Give the file.")
    if options.path.suffix not in suffixes:
        raise ValueError(
            f"`path` must be an {kinds} file, or a folder of images; got `{options.path}`. "
            "Save arrays with numpy.savez."
        )
    if not options.path.is_file():
        raise MissingDataError(
            f"`path` must be an {kinds} file; found none at `{options.path}`. "
            "Save one there, or give another path."
        )
    return options.path


def _find_images(arrays: Arrays, path: Path) -> StoredArray:
    candidates = [a for a in arrays.values() if len(a.shape) in (3, 4)]
    if "images" in arrays:
        images = arrays["images"]
    elif len(candidates) == 1:
        images = candidates[0]
    else:
        found = ", ".join(f"{name} {a.shape}" for name, a in sorted(arrays.items()))
        raise ValueError(
            f"`{path}` must hold an array 'images', or one array of three or four axes; got "
            f"{found or 'none'}. Name the images 'images'."
        )
    shape = images.shape
    if len(shape) not in (3, 4) or 0 in shape or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise ValueError(
            f"`images` must have shape (N, height, width) or (N, height, width, 1 or 3); got "
            f"{shape}. Move channels last with images.transpose(0, 2, 3, 1)."
        )
    if images.dtype not in (np.uint8, np.bool_) and images.dtype.kind != "f":
        raise ValueError(
            f"`images` must be uint8 0..255, bool, or floats in [0, 1]; got {images.dtype}. "
            "Convert them with images.astype(numpy.uint8)."
        )
    return images


def _grey_levels(images: StoredArray) -> Iterator[Images]:
    binary = images.dtype == np.bool_ or (
        images.dtype == np.uint8 and all(part.max() <= 1 for part in images.chunks(_CHUNK))
    )
    first = 0
    for part in images.chunks(_CHUNK):
        part = part if part.ndim == 4 else part[..., None]
        if images.dtype.kind == "f":
            _check_range(part, first)
            yield np.rint(part * 255).astype(np.uint8)
        else:
            yield part.astype(np.uint8) * np.uint8(255 if binary else 1)
        first += len(part)


def _check_range(part: np.ndarray, first: int) -> None:
    inside = (part >= 0) & (part <= 1)  # false for NaN
    if not inside.all():
        row = np.flatnonzero(~inside.reshape(len(part), -1).all(axis=1))[0]
        value = part[row][~inside[row]][0]
        raise ValueError(
            f"`images` must be floats in [0, 1]; got {value} in image {first + row}. "
            "Divide by the largest value, or save uint8 0..255."
        )


def _factor_table(
    arrays: Arrays, num_images: int
) -> tuple[FactorSpace, Int[np.ndarray, "images factors"]] | None:
    file = arrays.get("factors") or arrays.get("latents_classes")
    if file is None:
        return None
    factors = file.read()
    if factors.ndim != 2 or len(factors) != num_images or factors.dtype.kind not in "iu":
        raise ValueError(
            f"`factors` must be integers of shape ({num_images}, num_factors); got "
            f"{factors.dtype} of {factors.shape}. Number the values of each factor from 0."
        )
    if factors.min() < 0:
        raise ValueError(
            f"`factors` must be at least 0; got {factors.min()}. Number the values from 0."
        )
    if "factor_names" in arrays:
        names = tuple(str(name) for name in arrays["factor_names"].read())
    else:
        names = tuple(f"factor_{k}" for k in range(factors.shape[1]))
    return FactorSpace(names, tuple((factors.max(axis=0) + 1).tolist())), factors.astype(np.int64)
