"""3D Chairs: 86,366 RGB renderings of 1,393 chair models on white, from three factors.

Factors in order, last fastest: model 1393 (in the order of their folders' names), elevation 2 (20
and 30 degrees), azimuth 31 (round the chair in steps of 360 / 31 degrees). The file is
`rendered_chairs.tar`, or the folder unpacked from it, with
`rendered_chairs/MODEL/renders/image_VIEW_pELEVATION_tAZIMUTH_r096.png` of 600 x 600 pixels. The
centre of 400 x 400 is cut out and scaled, bicubic with anti-aliasing.

Options read: `path` (the archive or folder), `image_size`, `channels` (1, 3),
`unofficial` (takes a part of the images).
"""

import re
from pathlib import Path

import numpy as np

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import open_archive
from autobeta.data._files.images import parts_of
from autobeta.settings import DataOptions

SOURCE = "Aubry et al., 2014, https://www.di.ens.fr/willow/research/seeing3Dchairs/"
LICENSE = "none published for the data"
CITATION = """@inproceedings{aubry2014seeing,
  title = {Seeing {3D} chairs: exemplar part-based {2D}-{3D} alignment using a large dataset of
           {CAD} models},
  author = {Aubry, Mathieu and Maturana, Daniel and Efros, Alexei and Russell, Bryan and
            Sivic, Josef},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  year = {2014}
}"""
FACTORS = {"model": 1393, "elevation": 2, "azimuth": 31}
KINDS = {"model": "categorical", "elevation": "ordinal", "azimuth": "cyclic"}
DISK = "1.1 GB in the cache at 64 pixels, besides the archive"
URL = "https://www.di.ens.fr/willow/research/seeing3Dchairs/data/"
FILES = {"rendered_chairs.tar": ("", 0)}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
CROP = 400  # of 600 pixels
_NAME = re.compile(r"(?:.*/)?([^/]+)/renders/image_\d+_p(\d+)_t(\d+)_r\d+\.png")
_ELEVATIONS = (20, 30)


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Centres of the images, with factors from their names."""
    archive = open_archive(paths[0])
    found = {name: m for name in archive.names if (m := _NAME.fullmatch(name))}
    models = {model: k for k, model in enumerate(sorted({m[1] for m in found.values()}))}
    azimuths = [round(360 * k / 31) for k in range(31)]
    rows = [
        (models[m[1]], _nearest(int(m[2]), _ELEVATIONS), _nearest(int(m[3]), azimuths))
        for m in found.values()
    ]
    factors = np.array(rows, np.int64).reshape(-1, 3)
    complete = len(found) == SPACE.num_combinations
    if not found or len(models) > SPACE.sizes[0] or not (complete or options.unofficial):
        raise ValueError(
            f"`{archive.place}` must have {SPACE.num_combinations:,} images of {SPACE.sizes[0]} "
            f"chairs in MODEL/renders/; got {len(found):,} of {len(models)}. Get all of them, or "
            "take a part with --unofficial."
        )
    if len(np.unique(SPACE.index(factors))) != len(factors):
        raise ValueError(f"`{archive.place}` must have each view of a chair once; got some twice.")
    return Conversion(
        num_images=len(factors),
        images=parts_of(archive, found, options, cut=CROP),
        channels=3,
        source=f"{archive.place.name}, {len(factors)} images of {len(models)} chairs",
        space=SPACE,
        factors=factors,
    )


def _nearest(degrees: int, steps: tuple[int, ...] | list[int]) -> int:
    """Which of the published angles a name has; they are cut to whole degrees."""
    return int(np.abs(np.array(steps) - degrees).argmin())
