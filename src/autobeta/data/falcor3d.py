"""Falcor3D: 233,280 RGB renderings of a living room, from seven factors of light and camera.

Factors in order, last fastest: lighting_intensity, lighting_x-dir, lighting_y-dir, lighting_z-dir,
camera_x-pos, camera_y-pos, camera_z-pos. The images are PNG files named by their position, of 128
or 1024 pixels, in a folder or a zip archive, which is read as it is. Labels beside them, if any,
are compared with the names. Scaling is bicubic with anti-aliasing.

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
    "lighting_intensity": 5,
    "lighting_x-dir": 6,
    "lighting_y-dir": 6,
    "lighting_z-dir": 6,
    "camera_x-pos": 6,
    "camera_y-pos": 6,
    "camera_z-pos": 6,
}
KINDS = {
    "lighting_intensity": "ordinal",
    "lighting_x-dir": "ordinal",
    "lighting_y-dir": "ordinal",
    "lighting_z-dir": "ordinal",
    "camera_x-pos": "ordinal",
    "camera_y-pos": "ordinal",
    "camera_z-pos": "ordinal",
}
DISK = "2.9 GB in the cache at 64 pixels; 3.7 GB (128 pixels) or 98 GB (1024 pixels) of files"
BY_HAND = (
    "https://drive.google.com/uc?export=download&id=1XAQfFK1x6cpN1eiovbP0hVfLTm5SsSoJ "
    "(128 pixels; 1024 pixels: id=15njKf7WsBYoFVoLDGyXe4na3MYnTYXOF)"
)

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open Falcor3D; the first time the images are scaled into the cache folder.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If it was never prepared and the images are not at hand.
        ValueError: If images are missing or damaged, or an option can't be honoured.
    """
    return open_converted(prepare(root, options), "falcor3d")


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
        "falcor3d",
        SPACE,
        options,
        progress,
        folder="Falcor3D_down128",
        labels="train-rec.labels",
        by_hand=BY_HAND,
    )
