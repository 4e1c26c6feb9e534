"""MNIST: 70,000 grey handwritten digits, 28x28 scaled to the training size; four official files.

The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte, each as it is or with .gz. Put them into `mnist/` in the cache folder, or
give their folder as `path`; they are then copied to the cache, so `path` is needed once. The
official test part is the held-out part. Scaling is bicubic with anti-aliasing (Pillow).

Options read: `path` (the folder), `image_size` (32, 64, 128), `channels` (1).
"""

from pathlib import Path

from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._download import OfficialFile, published
from autobeta.data._factors import FactorSpace
from autobeta.data._idx import load_idx, prepare_idx

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
KINDS = {"digit": "categorical"}
DISK = "287 MB in the cache at 64 pixels; 11 MB of files"
FILES = {
    "train-images-idx3-ubyte.gz": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
        "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        0,
    ),
    "train-labels-idx1-ubyte.gz": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
        "md5:d53e105ee54ea40749a09fcbcd1e9432",
        0,
    ),
    "t10k-images-idx3-ubyte.gz": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
        "md5:9fb629c4189551a2d022fa330f9573f3",
        0,
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        "md5:ec29112dd5afa0611ce80d1b7f02629c",
        0,
    ),
}

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open the set; the first time the images are scaled into the cache folder.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If a file is missing; the message says how to get it.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    return load_idx(root, "mnist", SPACE, options)


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Scale the images into the cache folder if that is not done; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: If a file is missing.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    return prepare_idx(root, "mnist", options, progress)


def official_files(options: DataOptions) -> list[OfficialFile]:
    """The four published files."""
    del options
    return published(FILES)
