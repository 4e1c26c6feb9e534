"""Isaac3D: 737,280 RGB renderings of a robot arm in a kitchen, from nine factors.

Factors in order, last fastest: object_shape, robot_x-move, robot_y-move, camera_height,
object_scale, lighting_intensity, lighting_y-dir, object_color, wall_color. This is the order of
the published labels and demo; the formula in the published README names the axes wrongly and
is no numbering at all (reproductions/data/README.md says how that was settled). The images are PNG
files named by their position, of 128 or 512 pixels, in a folder or a zip archive, which is read as
it is. Labels beside them, if any, are compared with the names. Scaling is bicubic with
anti-aliasing.

Options read: `path` (the archive or folder), `image_size` (32, 64, 128), `channels` (1, 3),
`unofficial` (takes a part of the images).
"""

from pathlib import Path

from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._factors import FactorSpace
from autobeta.data._numbered import prepare_numbered
from autobeta.data._official import open_converted

SOURCE = "Nie et al., 2020, https://github.com/NVlabs/High-res-disentanglement-datasets"
LICENSE = "CC BY 4.0 (NVIDIA)"
CITATION = """@inproceedings{nie2020semi,
  title = {Semi-Supervised {StyleGAN} for Disentanglement Learning},
  author = {Nie, Weili and Karras, Tero and Garg, Animesh and Debnath, Shoubhik and Patney, Anjul
            and Patel, Ankit and Anandkumar, Animashree},
  booktitle = {International Conference on Machine Learning},
  year = {2020}
}"""
FACTORS = {
    "object_shape": 3,
    "robot_x-move": 8,
    "robot_y-move": 5,
    "camera_height": 4,
    "object_scale": 4,
    "lighting_intensity": 4,
    "lighting_y-dir": 6,
    "object_color": 4,
    "wall_color": 4,
}
KINDS = {
    "object_shape": "categorical",
    "robot_x-move": "ordinal",
    "robot_y-move": "ordinal",
    "camera_height": "ordinal",
    "object_scale": "ordinal",
    "lighting_intensity": "ordinal",
    "lighting_y-dir": "ordinal",
    "object_color": "categorical",
    "wall_color": "categorical",
}
DISK = "9.1 GB in the cache at 64 pixels; 13 GB (128 pixels) or 190 GB (512 pixels) of files"
BY_HAND = (
    "https://drive.google.com/uc?export=download&id=1OmQ1G2wnm6eTsSFGTKFZZAh5D3nQTW1B "
    "(128 pixels; 512 pixels: id=1vFkgK4CpHpCOBOU7l07yocrqAqr2uDox)"
)

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open Isaac3D; the first time the images are scaled into the cache folder.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If it was never prepared and the images are not at hand.
        ValueError: If images are missing or damaged, or an option can't be honoured.
    """
    return open_converted(prepare(root, options), "isaac3d")


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
    return prepare_numbered(
        root,
        "isaac3d",
        SPACE,
        options,
        progress,
        folder="Isaac3D_down128",
        labels="labels.npy",
        by_hand=BY_HAND,
    )
