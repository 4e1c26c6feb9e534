"""Falcor3D: 233,280 RGB renderings of a living room, from seven factors of light and camera.

Factors in order, last fastest: lighting_intensity, lighting_x-dir, lighting_y-dir, lighting_z-dir,
camera_x-pos, camera_y-pos, camera_z-pos. The images are PNG files named by their position, of 128
or 1024 pixels, in a folder or a zip archive, which is read as it is. Labels beside them, if any,
are compared with the names. Scaling is bicubic with anti-aliasing.

Options read: `path` (the archive or folder), `image_size`, `channels` (1, 3),
`unofficial` (takes a part of the images).
"""

from pathlib import Path

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.numbered import convert_numbered
from autobeta.settings import DataOptions

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
    "lighting_intensity": 5, "lighting_x-dir": 6, "lighting_y-dir": 6, "lighting_z-dir": 6,
    "camera_x-pos": 6, "camera_y-pos": 6, "camera_z-pos": 6,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "ordinal")
DISK = "2.9 GB in the cache at 64 pixels; 3.7 GB (128 pixels) or 98 GB (1024 pixels) of files"
FILES = {"Falcor3D_down128.zip": ("", 0)}
BY_HAND = (
    "https://drive.google.com/uc?export=download&id=1XAQfFK1x6cpN1eiovbP0hVfLTm5SsSoJ "
    "(128 pixels; 1024 pixels: id=15njKf7WsBYoFVoLDGyXe4na3MYnTYXOF)"
)

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images in the order of the grid; labels beside them are compared with it."""
    return convert_numbered(paths[0], SPACE, options, labels="train-rec.labels")
