"""Shapes3D: 480,000 RGB renderings of one solid in a room, from six factors.

Factors in order, last fastest: floor_hue, wall_hue, object_hue, scale, shape (cube, cylinder,
sphere, capsule), orientation (-30 to 30 degrees). The file is `3dshapes.h5`, HDF5 with `images`
uint8 (480000, 64, 64, 3) and `labels` (480000, 6); the labels are compared with the order.

Options read: `path` (the file or its folder), `image_size`, `channels` (1, 3),
`unofficial` (takes a part of the images, with their labels).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.stored import open_hdf5
from autobeta.settings import DataOptions

SOURCE = "Burgess and Kim, 2018, https://github.com/google-deepmind/3d-shapes"
LICENSE = "Apache-2.0"
CITATION = """@misc{3dshapes18,
  title = {3D Shapes Dataset},
  author = {Burgess, Chris and Kim, Hyunjik},
  howpublished = {https://github.com/deepmind/3dshapes-dataset/},
  year = {2018}
}"""
FACTORS = {
    "floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "cyclic")
KINDS |= {"scale": "ordinal", "shape": "categorical", "orientation": "ordinal"}
SIZE = 64
DISK = "5.9 GB in the cache at 64 pixels; 268 MB for the file"
URL = "https://storage.googleapis.com/3d-shapes/"
_SUM = "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"
FILES = {"3dshapes.h5": (_SUM, 267573662)}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
LOWEST = np.array([0.0, 0.0, 0.0, 0.75, 0.0, -30.0])
HIGHEST = np.array([0.9, 0.9, 0.9, 1.25, 3.0, 30.0])
_CHUNK = 500


def classes_of(labels: Float[np.ndarray, "images 6"]) -> Int[np.ndarray, "images 6"]:
    """Factor values of published labels, rounded.

    Example:
        >>> classes_of(np.array([[0.9, 0.0, 0.1, 1.25, 3.0, -30.0]])).tolist()
        [[9, 0, 1, 7, 3, 0]]
    """
    steps = (HIGHEST - LOWEST) / (np.array(tuple(FACTORS.values())) - 1)
    return np.rint((labels - LOWEST) / steps).astype(np.int64)


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images and labels of the one file."""
    [path] = paths
    arrays = open_hdf5(path)
    total = SPACE.num_combinations
    found = {name: (a.shape, a.dtype) for name, a in arrays.items()}
    images, labels = arrays.get("images"), arrays.get("labels")
    if (
        images is None
        or labels is None
        or images.shape[1:] != (64, 64, 3)
        or images.dtype != np.uint8
        or labels.shape != (images.shape[0], 6)
        or not (images.shape[0] == total or options.unofficial)
    ):
        raise ValueError(
            f"`{path}` must hold 'images', uint8 of ({total}, 64, 64, 3), and 'labels' of "
            f"({total}, 6); got {found}. Give 3dshapes.h5."
        )
    factors = classes_of(labels.read())
    SPACE.index(factors)  # all within their ranges
    complete = len(factors) == total
    if complete and (factors != SPACE.factors(np.arange(total))).any():
        raise ValueError(f"'labels' of `{path}` must follow the factors' order. Give 3dshapes.h5.")
    return Conversion(
        num_images=len(factors),
        images=images.chunks(_CHUNK),
        channels=3,
        source=path.name if complete else f"{path.name}, {len(factors)} images",
        space=SPACE,
        factors=None if complete else factors,
    )
