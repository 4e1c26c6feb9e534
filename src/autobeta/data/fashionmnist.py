"""Fashion-MNIST: 70,000 grey pieces of clothing, 28x28 scaled to the training size; four files.

The files have the names and format of MNIST's: train-images-idx3-ubyte, train-labels-idx1-ubyte,
t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each as it is or with .gz. Put them into
`fashionmnist/` in the cache folder, or give their folder as `path` once; they are then copied. The
official test part is the held-out part. Scaling is bicubic with anti-aliasing (Pillow).

Options read: `path` (the folder), `image_size` (32, 64, 128), `channels` (1).
"""

from pathlib import Path

from autobeta.data._cache import Report
from autobeta.data._dataset import DEFAULT_OPTIONS, DataOptions, FactorDataset
from autobeta.data._download import OfficialFile, published
from autobeta.data._factors import FactorSpace
from autobeta.data._idx import load_idx, prepare_idx

SOURCE = "Xiao, Rasul and Vollgraf, 2017, https://github.com/zalandoresearch/fashion-mnist"
LICENSE = "MIT"
CITATION = """@article{xiao2017fashion,
  title = {Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  author = {Han Xiao and Kashif Rasul and Roland Vollgraf},
  journal = {arXiv preprint arXiv:1708.07747},
  year = {2017}
}"""
FACTORS = {"article": 10}
KINDS = {"article": "categorical"}
DISK = "287 MB in the cache at 64 pixels; 31 MB of files"
FILES = {
    "train-images-idx3-ubyte.gz": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
        "",
        0,
    ),
    "train-labels-idx1-ubyte.gz": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
        "",
        0,
    ),
    "t10k-images-idx3-ubyte.gz": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
        "",
        0,
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
        "",
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
    return load_idx(root, "fashionmnist", SPACE, options)


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
    return prepare_idx(root, "fashionmnist", options, progress)


def official_files(options: DataOptions) -> list[OfficialFile]:
    """The four published files."""
    del options
    return published(FILES)
