"""Your own images in an .npy or .npz file, with their factors if you have them.

The images are the array `images`, or the only array of three or four axes: (N, height, width) or
(N, height, width, channels), channels 1 or 3. They are uint8 0..255, booleans, or floats in
[0, 1], which are rounded to 256 levels; uint8 of nothing above 1 is taken as black and white.
Integer factors, counted from 0, may be in `factors` (or `latents_classes`), shape (N, factors),
their names in `factor_names`. The shorter side is scaled to `image_size` with anti-aliasing and
the centre square is cut out. Images are converted once, into the cache folder.

Options read: `path` (the file), `image_size` (32, 64, 128), `channels` (1, 3), `test_fraction`,
`split_seed`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from autobeta.data._cache import Report, fingerprint, write_array
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    check_options,
    held_out,
)
from autobeta.data._factors import FactorSpace
from autobeta.data._npy import ArrayFile, open_arrays
from autobeta.data._pixels import fit
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError

SOURCE = "An .npy or .npz file of your own images."
LICENSE = "Yours"
CITATION = ""
FACTORS = {}  # type: dict[str, int]

_CHUNK = 256


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open a file of images, with a part held out at random.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If there is no file at `path`.
        ValueError: If `path` is left out, the file breaks a rule of the module, or an option
            can't be honoured.
    """
    images = open_map(prepare(root, options))
    path = _file(options)
    table = _factor_table(open_arrays(path), len(images))
    return FactorDataset(
        name="arrays",
        source=f"{len(images)} images of the file {path.name}",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=table and table[0],
        factor_values=table and table[1].__getitem__,
        splits=held_out(len(images), options),
    )


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Convert the images if that is not done or the file has changed; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: If there is no file at `path`.
        ValueError: As for `load`.
    """
    check_options("arrays", options)
    path = _file(options)
    size = options.image_size
    key = fingerprint([path], size, options.channels)
    cache = root / "arrays" / f"{path.stem}-{key}.npy"
    if not cache.exists():
        images = _find_images(path)
        channels = options.channels or (images.shape[3] if len(images.shape) == 4 else 1)
        write_array(
            cache,
            (images.shape[0], size, size, channels),
            (np.stack([fit(i, size, channels) for i in part]) for part in _grey_levels(images)),
            progress=progress,
        )
    return cache


def _file(options: DataOptions) -> Path:
    if options.path is None:
        raise ValueError("`path` must be an .npy or .npz file; got None. Give the file.")
    if options.path.suffix not in (".npy", ".npz"):
        raise ValueError(
            f"`path` must be an .npy or .npz file, or a folder of images; got `{options.path}`. "
            "Save arrays with numpy.savez."
        )
    if not options.path.is_file():
        raise MissingDataError(
            f"`path` must be an .npy or .npz file; found none at `{options.path}`. "
            "Save one there with numpy.savez, or give another path."
        )
    return options.path


def _find_images(path: Path) -> ArrayFile:
    arrays = open_arrays(path)
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


def _grey_levels(images: ArrayFile) -> Iterator[UInt8[np.ndarray, "batch height width channels"]]:
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
    arrays: dict[str, ArrayFile], num_images: int
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
