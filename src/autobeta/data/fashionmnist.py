"""Fashion-MNIST: 70,000 grey pieces of clothing, 28x28 scaled to the training size; four files.

The files have the names and format of MNIST's, each as it is or with .gz. Put them into
`fashionmnist/` in the cache folder, or give their folder as `path`. The official test images are
held out. Scaling is bicubic with anti-aliasing (Pillow).

Options read: `path` (the folder), `image_size`, `channels` (1).
"""

from pathlib import Path

from autobeta.data import mnist
from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.idx import convert_idx
from autobeta.settings import DataOptions

SOURCE = "Xiao, Rasul and Vollgraf, 2017, https://github.com/zalandoresearch/fashion-mnist"
LICENSE = "MIT"
CITATION = """@article{xiao2017fashion,
  title = {Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  author = {Han Xiao and Kashif Rasul and Roland Vollgraf},
  journal = {arXiv preprint arXiv:1708.07747},
  year = {2017}
}"""
FACTORS = {"article": 10}
CHANNELS = (1,)
KINDS = {"article": "categorical"}
SIZE = 28
DISK = "287 MB in the cache at 64 pixels; 31 MB of files"
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FILES = dict.fromkeys(mnist.FILES, ("", 0))

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images and labels of the four files."""
    return convert_idx(paths, SPACE)
