"""Cars3D: 17,568 RGB renderings of 183 car models, from three factors.

Factors in order, last fastest: elevation 4, azimuth 24, object 183. The file is
`nips2015-analogy-data.tar.gz`, or the folder unpacked from it: `data/cars/list.txt` has the names
of the car files and fixes their order, `data/cars/NAME.mat` has `im`, uint8 (128, 128, 3, 24, 4).
An order by listing the folder, as in disentanglement_lib, is another numbering. Scaling is bicubic
with anti-aliasing. While it is prepared, all scaled images are held in memory (216 MB at 64
pixels).

Options read: `path` (the archive or folder), `image_size`, `channels` (1, 3),
`unofficial` (takes a part of the cars).
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.pixels import fit_all
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import open_archive
from autobeta.data._files.reading import reading
from autobeta.settings import DataOptions

SOURCE = "Reed et al., 2015, https://www.scottreed.info/"
LICENSE = "none stated"
CITATION = """@inproceedings{reed2015deep,
  title = {Deep Visual Analogy-Making},
  author = {Reed, Scott and Zhang, Yi and Zhang, Yuting and Lee, Honglak},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2015}
}"""
FACTORS = {"elevation": 4, "azimuth": 24, "object": 183}
KINDS = {"elevation": "ordinal", "azimuth": "cyclic", "object": "categorical"}
SIZE = 128
DISK = "216 MB in the cache at 64 pixels; about 300 MB for the file"
URL = "http://www.scottreed.info/files/"
FILES = {"nips2015-analogy-data.tar.gz": ("md5:4e866a7919c1beedf53964e6f7a23686", 0)}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Views of all cars; of each view, the cars in their order."""
    archive = open_archive(paths[0])
    by_name = {name.split("/")[-1]: name for name in archive.names if "/._" not in name}
    if "list.txt" not in by_name:
        raise ValueError(f"`{archive.place}` must have data/cars/list.txt, which orders the cars.")
    cars = archive.read(by_name["list.txt"]).decode().split()
    missing = [car for car in cars if f"{car}.mat" not in by_name]
    if len(cars) != SPACE.sizes[2] or missing:
        if not options.unofficial or not cars:
            raise ValueError(
                f"`{archive.place}` must have {SPACE.sizes[2]} cars in list.txt and a .mat of "
                f"each; got {len(cars)}, {len(missing)} of them missing. Fetch it again, or take "
                "a part with --unofficial."
            )
        cars = [car for car in cars if car not in missing]
    size, channels = options.image_size or SIZE, options.channels or 3
    num_views = SPACE.sizes[0] * SPACE.sizes[1]
    scaled = np.empty((num_views, len(cars), size, size, channels), np.uint8)
    # the archive's own order: a compressed one is slow to go back in
    wanted = {by_name[f"{car}.mat"]: k for k, car in enumerate(cars)}
    for name, data in archive.read_all(n for n in archive.names if n in wanted):
        scaled[:, wanted[name]] = fit_all(_views(archive.place / name, data), size, channels)
    views, which = np.divmod(np.arange(num_views * len(cars)), len(cars))
    factors = np.stack([*np.divmod(views, SPACE.sizes[1]), which], axis=1)
    return Conversion(
        num_images=len(factors),
        images=iter(scaled),
        channels=channels,
        source=f"{archive.place.name}, {len(cars)} cars",
        space=SPACE,
        factors=None if len(cars) == SPACE.sizes[2] else factors,
    )


def _views(path: Path, data: bytes) -> UInt8[np.ndarray, "96 128 128 3"]:
    """Images of one car by elevation and azimuth, last fastest."""
    from scipy.io import loadmat

    with reading(path, "MATLAB file of a car", "Fetch it again."):
        im = loadmat(BytesIO(data)).get("im")
        if im is None or im.shape != (128, 128, 3, 24, 4) or im.dtype != np.uint8:
            found = "nothing" if im is None else f"{im.dtype} of {im.shape}"
            raise ValueError(f"{found} for 'im' in place of uint8 of (128, 128, 3, 24, 4)")
        return np.ascontiguousarray(im.transpose(4, 3, 0, 1, 2)).reshape(-1, 128, 128, 3)
