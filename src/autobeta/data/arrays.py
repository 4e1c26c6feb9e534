"""Your own images in an .npy or .npz file, with their factors if you have them.

The images are the array `images`, or the only array of three or four axes: (N, height, width) or
(N, height, width, channels), channels 1 or 3. They are uint8 0..255, booleans, or floats in
[0, 1], which are rounded to 256 levels; uint8 of nothing above 1 is taken as black and white.
Factors may be in `factors` (or `latents_classes`), shape (N, factors) or (N,): whole numbers,
booleans or texts; their names in `factor_names`. The shorter side is scaled to `image_size` with
anti-aliasing and the centre square is cut out; None keeps height and width. Images are converted
once, into the cache folder.

Options read: `path` (the file), `image_size`, `channels` (1, 3), `test_fraction`, `split_seed`.
"""

from pathlib import Path

from autobeta.data._core.prepare import Conversion
from autobeta.data._files.arrays import convert_arrays
from autobeta.data._files.stored import open_arrays
from autobeta.settings import DataOptions

SOURCE = "An .npy or .npz file of your own images."
LICENSE = "Yours"
PLACE = "an .npy or .npz file"
SUFFIXES = (".npy", ".npz")


def convert(place: Path, options: DataOptions) -> Conversion:
    """Images and factors of the file."""
    return convert_arrays(place, open_arrays(place))
