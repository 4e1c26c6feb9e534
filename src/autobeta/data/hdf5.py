"""Your own images in an HDF5 file, with their factors if you have them.

The rules are those of `arrays`: the images are the data set `images`, or the only one of three or
four axes, (N, height, width) or (N, height, width, 1 or 3), uint8, booleans, or floats in [0, 1];
integer factors may be in `factors` or `latents_classes`, their names in `factor_names`. A data set
in a group is named with a slash, as in `latents/classes`. Images are converted once, into the
cache folder.

Options read: `path` (the file), `image_size` (32, 64, 128), `channels` (1, 3), `test_fraction`,
`split_seed`.
"""

from pathlib import Path

from autobeta.data._arrays import load_arrays, prepare_arrays
from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._hdf5 import open_hdf5

SOURCE = "An HDF5 file of your own images."
LICENSE = "Yours"
CITATION = ""
FACTORS = {}  # type: dict[str, int]

SUFFIXES = (".h5", ".hdf5")


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
    return load_arrays(root, "hdf5", options, SUFFIXES, open_hdf5)


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
    return prepare_arrays(root, "hdf5", options, progress, SUFFIXES, open_hdf5)
