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

from autobeta.data import _sprites
from autobeta.data._core.dataset import Images, Index
from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.reading import reading
from autobeta.data._files.stored import StoredArray, open_arrays
from autobeta.settings import DataOptions

SOURCE = "Matthey et al., 2017, https://github.com/google-deepmind/dsprites-dataset"
LICENSE = "Apache-2.0"
CITATION = """@misc{dsprites17,
  author = {Loic Matthey and Irina Higgins and Demis Hassabis and Alexander Lerchner},
  title = {dSprites: Disentanglement testing Sprites dataset},
  howpublished = {https://github.com/deepmind/dsprites-dataset/},
  year = {2017},
}"""
FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "posX": 32, "posY": 32}
KINDS = dict.fromkeys(FACTORS, "ordinal") | {"shape": "categorical", "orientation": "cyclic"}
SIZE = 64
DISK = "377 MB in the cache; 27 MB for the official file, which is not needed"
SIZES = (64,)
CHANNELS = (1,)
PACKED = True
URL = "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
FILES = {"dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": ("", 0)}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def render(index: Index, image_size: int = 64) -> Images:
    """Our rendering of the images at these positions, shape (batch, 64, 64, 1), 0 or 255.

    Example:
        >>> int((render(np.array([0])) == 255).sum())
        100
    """
    assert image_size == _sprites.CANVAS
    return _sprites.render(SPACE.factors(index))[..., None] * np.uint8(255)


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images of the official file, streamed; its pickled member is not touched."""
    [path] = paths
    wanted = (SPACE.num_combinations, 64, 64)
    with reading(path, "official file of dSprites", "Fetch it again, or leave it out."):
        arrays = open_arrays(path)
        if "imgs" not in arrays:
            raise ValueError(f"no array 'imgs' but {', '.join(sorted(arrays)) or 'none'}")
        images = arrays["imgs"]
        if images.shape != wanted or images.dtype != np.uint8:
            raise ValueError(f"{images.dtype} of {images.shape} in place of uint8 of {wanted}")
    return Conversion(
        num_images=SPACE.num_combinations,
        images=_black_and_white(path, images),
        channels=1,
        source=f"official {path.name}",
        space=SPACE,
        packed=True,
    )


def _black_and_white(path: Path, images: StoredArray) -> Iterator[Images]:
    for chunk in images.chunks(1024):
        if chunk.max() > 1:
            raise ValueError(f"'imgs' of `{path}` must be 0 or 1; got {chunk.max()}.")
        yield chunk[..., None] * np.uint8(255)
