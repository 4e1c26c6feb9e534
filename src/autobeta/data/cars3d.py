"""Cars3D: 17,568 RGB renderings of 183 car models, from three factors.

Factors in order, last fastest: elevation 4, azimuth 24, object 183. The file is
`nips2015-analogy-data.tar.gz`, or the folder unpacked from it: `data/cars/list.txt` has the names
of the car files and fixes their order, `data/cars/NAME.mat` has `im`, uint8 (128, 128, 3, 24, 4).
An order by listing the folder, as in disentanglement_lib, is another numbering. Scaling is bicubic
with anti-aliasing. While it is prepared, all scaled images are held in memory (216 MB at 64
pixels).

Options read: `path` (the archive or folder), `image_size` (32, 64, 128), `channels` (1, 3),
`unofficial` (takes a part of the cars).
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from autobeta.data._archives import Archive
from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset, check_options
from autobeta.data._download import OfficialFile, published
from autobeta.data._factors import FactorSpace
from autobeta.data._official import Conversion, open_converted, prepare_archive
from autobeta.data._pixels import fit_all

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
DISK = "216 MB in the cache at 64 pixels; about 300 MB for the file"
FILES = {
    "nips2015-analogy-data.tar.gz": (
        "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
        "md5:4e866a7919c1beedf53964e6f7a23686",
        0,
    )
}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open Cars3D; the first time the images are scaled into the cache folder.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If it was never prepared and the files are not at hand.
        ValueError: If a file is damaged or missing, or an option can't be honoured.
    """
    return open_converted(prepare(root, options), "cars3d")


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Scale the images into the cache folder if that is not done; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: As for `load`.
        ValueError: As for `load`.
    """
    check_options("cars3d", options)
    return prepare_archive(
        root,
        "cars3d",
        options,
        progress,
        file=official_files(options)[0],
        convert=lambda archive: _convert(archive, options),
    )


def official_files(options: DataOptions) -> list[OfficialFile]:
    """The one published file."""
    del options
    return published(FILES)


def _convert(archive: Archive, options: DataOptions) -> Conversion:
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
    size, channels = options.image_size, options.channels or 3
    num_views = SPACE.sizes[0] * SPACE.sizes[1]
    scaled = np.empty((num_views, len(cars), size, size, channels), np.uint8)
    # the archive's own order: a compressed one is slow to go back in
    wanted = {by_name[f"{car}.mat"]: k for k, car in enumerate(cars)}
    for name, data in archive.read_all(n for n in archive.names if n in wanted):
        scaled[:, wanted[name]] = fit_all(_views(archive.place / name, data), size, channels)
    views, which = np.divmod(np.arange(num_views * len(cars)), len(cars))
    factors = np.stack([*np.divmod(views, SPACE.sizes[1]), which], axis=1)
    complete = len(cars) == SPACE.sizes[2]
    return Conversion(
        shape=(len(factors), size, size, channels),
        chunks=iter(scaled),
        source=f"{archive.place.name}, {len(cars)} cars",
        space=SPACE,
        factors=None if complete else factors,
    )


def _views(path: Path, data: bytes) -> UInt8[np.ndarray, "96 128 128 3"]:
    """Images of one car by elevation and azimuth, last fastest."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        im = loadmat(BytesIO(data)).get("im")
    except (ValueError, TypeError, OSError, NotImplementedError, MatReadError) as error:
        raise ValueError(f"`{path}` must be a MATLAB file; got {error}. Fetch it.") from error
    if im is None or im.shape != (128, 128, 3, 24, 4) or im.dtype != np.uint8:
        found = "nothing" if im is None else f"{im.dtype} of {im.shape}"
        raise ValueError(
            f"'im' of `{path}` must be uint8 of (128, 128, 3, 24, 4); got {found}. Fetch it."
        )
    return np.ascontiguousarray(im.transpose(4, 3, 0, 1, 2)).reshape(-1, 128, 128, 3)
