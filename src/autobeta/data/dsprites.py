"""dSprites: 737,280 binary 64x64 images of one white shape, from five factors; needs no download.

The images are the official file's where it is at hand (given as `path`, or placed in the cache
folder), and otherwise rendered by us. The rendering agrees with the official images in all but
about one image of 7,000, where it differs in one pixel.

Factors in order, last fastest: shape (square, ellipse, heart), scale (0.5 to 1), orientation
(0 to 2 pi, both ends, so values 0 and 39 give the same image), posX (left to right), posY (top
to bottom). The official file has a sixth factor, colour, of one value; it is left out.

Options read: `path` (the official .npz or its folder), `image_size` (64), `channels` (1).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from autobeta.data import _sprites
from autobeta.data._cache import Report, fingerprint, write_array
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    Images,
    Index,
    check_options,
)
from autobeta.data._factors import FactorSpace
from autobeta.data._npy import open_arrays
from autobeta.data._sources import from_packed, open_map
from autobeta.errors import MissingDataError

SOURCE = "Matthey et al., 2017, https://github.com/google-deepmind/dsprites-dataset"
LICENSE = "Apache-2.0"
CITATION = """@misc{dsprites17,
  author = {Loic Matthey and Irina Higgins and Demis Hassabis and Alexander Lerchner},
  title = {dSprites: Disentanglement testing Sprites dataset},
  howpublished = {https://github.com/deepmind/dsprites-dataset/},
  year = {2017},
}"""
FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "posX": 32, "posY": 32}
KINDS = {
    "shape": "categorical",
    "scale": "ordinal",
    "orientation": "cyclic",
    "posX": "ordinal",
    "posY": "ordinal",
}
DISK = "377 MB in the cache; 27 MB for the official file, which is not needed"
OFFICIAL = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
_SHAPE = (64, 64, 1)
_CHUNK = 1024


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open dSprites; the first time it is prepared, which takes about half a minute.

    Args:
        root: Cache folder; `dsprites/` in it takes 377 MB.
        options: See the module.

    Raises:
        ValueError: If an option can't be honoured or the official file is damaged.
        MissingDataError: If `path` is given and has no such file.
    """
    cache = prepare(root, options)
    packed = open_map(cache, (SPACE.num_combinations, 512))
    return FactorDataset(
        name="dsprites",
        source="rendered" if cache.stem == "rendered" else f"official {OFFICIAL}",
        num_images=len(packed),
        image_shape=_SHAPE,
        images=from_packed(packed, _SHAPE),
        factor_space=SPACE,
        factor_values=SPACE.factors,
        render=render,
    )


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Make the cache file, one bit a pixel, if it is not there; return its path.

    The official file is taken from `path`, else from `dsprites/` in the cache folder; without
    either, what was once made of an official file is used, and else the images are rendered.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        ValueError: If an option can't be honoured or the official file is damaged.
        MissingDataError: If `path` is given and has no such file.
    """
    reason = "The images are 64 x 64 pixels of 0 or 1; scaled they would be another data set."
    check_options("dsprites", options, sizes=(64,), channels=(1,), reason=reason)
    folder = root / "dsprites"
    official = _official(folder, options.path)
    if official is not None:
        cache = folder / f"official-{fingerprint([official])}.npy"
        chunks = pack_official(official, SPACE)
    else:
        kept = sorted(folder.glob("official-*.npy"), key=lambda file: file.stat().st_mtime)
        cache = kept[-1] if kept else folder / "rendered.npy"
        chunks = _rendered()
    if not cache.exists():
        write_array(cache, (SPACE.num_combinations, 512), chunks, progress=progress)
    return cache


def render(index: Index) -> Images:
    """Our rendering of the images at these positions, shape (batch, 64, 64, 1), 0 or 255.

    Example:
        >>> int((render(np.array([0])) == 255).sum())
        100
    """
    return _sprites.render(SPACE.factors(index))[..., None] * np.uint8(255)


def pack_official(path: Path, space: FactorSpace) -> Iterator[UInt8[np.ndarray, "batch bytes"]]:
    """Read `imgs` of an .npz in chunks, packed to one bit a pixel.

    Args:
        path: The file; it is streamed and its pickled member is not touched.
        space: The factors whose full grid it must hold.

    Raises:
        ValueError: If `imgs` is missing, of the wrong shape or type, damaged, or not 0 or 1.
    """
    arrays = open_arrays(path)
    if "imgs" not in arrays:
        raise ValueError(
            f"`{path}` must hold an array 'imgs'; got {', '.join(sorted(arrays)) or 'none'}. "
            f"Give {OFFICIAL}."
        )
    images = arrays["imgs"]
    if images.shape != (space.num_combinations, 64, 64) or images.dtype != np.uint8:
        raise ValueError(
            f"'imgs' of `{path}` must be uint8 of shape ({space.num_combinations}, 64, 64); got "
            f"{images.dtype} of {images.shape}. Give {OFFICIAL}."
        )
    for chunk in images.chunks(_CHUNK):
        if chunk.max() > 1:
            raise ValueError(f"'imgs' of `{path}` must be 0 or 1; got {chunk.max()}. Fetch it.")
        yield np.packbits(chunk.reshape(len(chunk), -1), axis=1)


def _rendered() -> Iterator[UInt8[np.ndarray, "batch 512"]]:
    for block in np.ndindex(*SPACE.sizes[:3]):
        yield _sprites.render_block(*block)


def _official(folder: Path, path: Path | None) -> Path | None:
    if path is None:
        return folder / OFFICIAL if (folder / OFFICIAL).exists() else None
    file = path / OFFICIAL if path.is_dir() else path
    if not file.exists():
        raise MissingDataError(
            f"`path` must be {OFFICIAL} or its folder; found nothing at `{file}`. Fetch it from "
            f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{OFFICIAL}, "
            "or leave `path` out to have the images rendered."
        )
    return file
