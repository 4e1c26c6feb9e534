"""Your own images in an HDF5 file, with their factors if you have them.

The rules are those of `arrays`, for the data sets of the file; one in a group is named with a
slash, as in `latents/classes`. Images are converted once, into the cache folder.

Options read: `path` (the file), `image_size`, `channels` (1, 3), `test_fraction`, `split_seed`.
"""

from pathlib import Path

from autobeta.data._core.prepare import Conversion
from autobeta.data._files.arrays import convert_arrays
from autobeta.data._files.stored import open_hdf5
from autobeta.settings import DataOptions

SOURCE = "An HDF5 file of your own images."
LICENSE = "Yours"
PLACE = "an .h5 or .hdf5 file"
SUFFIXES = (".h5", ".hdf5")


def convert(place: Path, options: DataOptions) -> Conversion:
    """Images and factors of the file."""
    return convert_arrays(place, open_hdf5(place))
