"""MNIST: 70,000 grey handwritten digits, 28x28 scaled to the training size; four official files.

The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte, each as it is or with .gz. Put them into `mnist/` in the cache folder, or
give their folder as `path`. The official test images are held out. Scaling is
bicubic with anti-aliasing (Pillow).

Options read: `path` (the folder), `image_size`, `channels` (1).
"""

from pathlib import Path

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.idx import convert_idx
from autobeta.settings import DataOptions

SOURCE = "LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/"
LICENSE = "CC BY-SA 3.0"
CITATION = """@article{lecun1998mnist,
  author = {Yann LeCun and L{\\'e}on Bottou and Yoshua Bengio and Patrick Haffner},
  title = {Gradient-based learning applied to document recognition},
  journal = {Proceedings of the IEEE},
  volume = {86},
  number = {11},
  pages = {2278--2324},
  year = {1998},
}"""
FACTORS = {"digit": 10}
CHANNELS = (1,)
KINDS = {"digit": "categorical"}
SIZE = 28
DISK = "287 MB in the cache at 64 pixels; 11 MB of files"
URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
FILES = {
    "train-images-idx3-ubyte.gz": ("md5:f68b3c2dcbeaaa9fbdd348bbdeb94873", 0),
    "train-labels-idx1-ubyte.gz": ("md5:d53e105ee54ea40749a09fcbcd1e9432", 0),
    "t10k-images-idx3-ubyte.gz": ("md5:9fb629c4189551a2d022fa330f9573f3", 0),
    "t10k-labels-idx1-ubyte.gz": ("md5:ec29112dd5afa0611ce80d1b7f02629c", 0),
}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images and labels of the four files."""
    return convert_idx(paths, SPACE)
