"""Sets of PNG files named by their position in a full factor grid: Falcor3D and Isaac3D."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import Archive, open_archive
from autobeta.data._files.images import parts_of
from autobeta.data._files.reading import reading
from autobeta.settings import DataOptions

_NAME = re.compile(r"(\d{6})\.png")


def convert_numbered(
    place: Path, space: FactorSpace, options: DataOptions, *, labels: str
) -> Conversion:
    """Images of a zip archive, their folder or one above it, in the order of the grid.

    The table called `labels` beside them is compared if it is there.
    """
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
    return Conversion(
        num_images=len(positions),
        images=parts_of(archive, by_position.values(), options),
        channels=3,
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
    with reading(archive.place / found[0], "whole .npy file"):
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
