"""Sets of PNG files named by their position in a full factor grid: Falcor3D and Isaac3D."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int

from autobeta.data._archives import Archive, open_archive
from autobeta.data._cache import Report, fingerprint
from autobeta.data._dataset import DataOptions, check_options
from autobeta.data._factors import FactorSpace
from autobeta.data._official import Conversion, cache_stem, convert_once, inside, newest
from autobeta.data._pixels import decode, fit

_NAME = re.compile(r"(\d{6})\.png")


def prepare_numbered(
    root: Path,
    name: str,
    space: FactorSpace,
    options: DataOptions,
    progress: Report | None,
    *,
    folder: str,
    labels: str,
    by_hand: str,
) -> Path:
    """Scale numbered images into the cache folder once.

    Args:
        root: Cache folder of all data sets.
        name: Name of the data set.
        space: Its factors.
        options: `path` may be a zip archive, the folder of images, or a folder above it.
        progress: Called with (images done, images in all).
        folder: Name of the published folder, in which `images` lies.
        labels: Name of the table of labels beside `images`; it is compared if it is there.
        by_hand: Where the archive is published.

    Returns:
        The cache file.

    Raises:
        MissingDataError: If there are neither images nor a cache file.
        ValueError: If images are missing or unreadable, or labels are not those of the names.
    """
    check_options(name, options)
    own, stem = root / name, cache_stem(options)
    place = inside(own, [f"{folder}.zip", folder])
    if options.path is not None:
        place = inside(options.path, [f"{folder}.zip"]) or options.path
    if place is None:
        how = (
            f"Fetch {folder} from {by_hand} with a browser, then run "
            f"`autobeta data prepare {name} --from ARCHIVE_OR_FOLDER`."
        )
        return newest(own, stem, name, how)
    if not place.exists():
        open_archive(place)  # says so
    cache = own / f"{stem}-{fingerprint([place])}.npy"
    return convert_once(cache, lambda: _convert(place, space, options, labels), progress)


def _convert(place: Path, space: FactorSpace, options: DataOptions, labels: str) -> Conversion:
    archive = open_archive(place)
    names = [(m, name) for name in archive.names if (m := _NAME.fullmatch(name.split("/")[-1]))]
    by_position = dict(sorted((int(m[1]), name) for m, name in names))
    positions = np.array(list(by_position), np.int64)
    total = space.num_combinations
    if len(by_position) != len(names):
        raise ValueError(f"`{place}` must have each image once; got some in two folders.")
    if len(positions) and positions[-1] >= total:
        raise ValueError(
            f"`{place}` must have images 000000 to {total - 1:06d}; got {positions[-1]:06d}.png."
        )
    complete = len(positions) == total
    if not len(positions) or not (complete or options.unofficial):
        raise ValueError(
            f"`{place}` must have {total:,} images 000000.png to {total - 1:06d}.png; got "
            f"{len(positions):,}. Get all of them, or take a part with --unofficial."
        )
    _compare_labels(archive, labels, positions, space)
    size, channels = options.image_size, options.channels or 3
    pixels = (decode(place / name, data) for name, data in archive.read_all(by_position.values()))
    return Conversion(
        shape=(len(positions), size, size, channels),
        chunks=(fit(image, size, channels)[None] for image in pixels),
        source=f"{place.name}, {'all' if complete else len(positions)} images",
        space=space,
        factors=None if complete else space.factors(positions),
    )


def _compare_labels(
    archive: Archive, labels: str, positions: Int[np.ndarray, " files"], space: FactorSpace
) -> None:
    """Check the published labels, uniform in [0, 1], where they are, against the positions."""
    found = [name for name in archive.names if name.split("/")[-1] == labels]
    if not found:
        return
    table = np.load(BytesIO(archive.read(found[0])), allow_pickle=False)
    if table.shape != (space.num_combinations, space.num_factors):
        raise ValueError(
            f"`{labels}` in `{archive.place}` must have shape "
            f"({space.num_combinations}, {space.num_factors}); got {table.shape}."
        )
    # rounded, since k / 3 * 3 and the like may fall just short of k
    classes = np.rint(table[positions] * (np.array(space.sizes) - 1)).astype(np.int64)
    expected = space.factors(positions)
    wrong = np.flatnonzero((classes != expected).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"`{labels}` in `{archive.place}` must follow the order of the names; image "
            f"{positions[wrong[0]]:06d} has {classes[wrong[0]].tolist()} there, its name says "
            f"{expected[wrong[0]].tolist()}."
        )
