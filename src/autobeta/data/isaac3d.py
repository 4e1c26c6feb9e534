"""Isaac3D: 737,280 RGB renderings of a robot arm in a kitchen, from nine factors.

Factors in order, last fastest: object_shape, robot_x-move, robot_y-move, camera_height,
object_scale, lighting_intensity, lighting_y-dir, object_color, wall_color. This is the order of
the published labels and demo; the formula in the published README names the axes wrongly and
is no numbering at all (reproductions/data/README.md says how that was settled). The images are PNG
files named by their position, of 128 or 512 pixels, in a folder or a zip archive, which is read as
it is. Labels beside them, if any, are compared with the names. Scaling is bicubic with
anti-aliasing.

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
    "object_shape": 3, "robot_x-move": 8, "robot_y-move": 5, "camera_height": 4,
    "object_scale": 4, "lighting_intensity": 4, "lighting_y-dir": 6, "object_color": 4,
    "wall_color": 4,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "ordinal")
KINDS |= dict.fromkeys(("object_shape", "object_color", "wall_color"), "categorical")
DISK = "9.1 GB in the cache at 64 pixels; 13 GB (128 pixels) or 190 GB (512 pixels) of files"
FILES = {"Isaac3D_down128.zip": ("", 0)}
BY_HAND = (
    "https://drive.google.com/uc?export=download&id=1OmQ1G2wnm6eTsSFGTKFZZAh5D3nQTW1B "
    "(128 pixels; 512 pixels: id=1vFkgK4CpHpCOBOU7l07yocrqAqr2uDox)"
)

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images in the order of the grid; labels beside them are compared with it."""
    return convert_numbered(paths[0], SPACE, options, labels="labels.npy")
