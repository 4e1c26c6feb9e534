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

from pathlib import Path

from autobeta.data._arrays import load_arrays, prepare_arrays
from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._npy import open_arrays

SOURCE = "An .npy or .npz file of your own images."
LICENSE = "Yours"
CITATION = ""
FACTORS = {}  # type: dict[str, int]

SUFFIXES = (".npy", ".npz")


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
    return load_arrays(root, "arrays", options, SUFFIXES, open_arrays)


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
    return prepare_arrays(root, "arrays", options, progress, SUFFIXES, open_arrays)
