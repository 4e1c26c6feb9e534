"""Sets of four IDX files, as MNIST and Fashion-MNIST are published."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from autobeta.data._archives import read_unzipped
from autobeta.data._cache import Report, write_array, written_whole
from autobeta.data._dataset import DataOptions, FactorDataset, Index, check_options
from autobeta.data._factors import FactorSpace, check_index
from autobeta.data._pixels import fit_all
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CHUNK = 512


def load_idx(root: Path, name: str, space: FactorSpace, options: DataOptions) -> FactorDataset:
    """Open a set of IDX files; the official test part is held out.

    Raises:
        MissingDataError: If a file is missing; the message says how to get it.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    images = open_map(prepare_idx(root, name, options))
    _, train, _, test = _files(root, name, options.path)
    num_train = len(train_labels := read_idx(train, 1))
    labels = np.concatenate([train_labels, read_idx(test, 1)]).astype(np.int64)
    if len(labels) != len(images) or labels.max(initial=0) >= space.sizes[0]:
        raise ValueError(
            f"labels of `{train.parent}` must be {len(images)} numbers 0..{space.sizes[0] - 1}; "
            f"got {len(labels)}, up to {labels.max(initial=0)}. Fetch the four files again."
        )

    def classes(index: Index) -> Int[np.ndarray, "batch 1"]:
        check_index(index, len(labels))
        return labels[index][:, None]

    return FactorDataset(
        name=name,
        source="official IDX files",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=space,
        factor_values=classes,
        splits={"train": np.arange(num_train), "test": np.arange(num_train, len(images))},
    )


def prepare_idx(
    root: Path, name: str, options: DataOptions, progress: Report | None = None
) -> Path:
    """Scale the images into the cache folder if that is not done; return the cache file.

    Args:
        root: Cache folder.
        name: Name of the data set.
        options: `path` is the folder of the four files.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: If a file is missing.
        ValueError: If a file is damaged or an option can't be honoured.
    """
    check_options(name, options, channels=(1,))
    files = _files(root, name, options.path)
    size = options.image_size
    digest = hashlib.sha256(files[0].read_bytes() + files[2].read_bytes()).hexdigest()[:12]
    cache = root / name / f"images-{size}-{digest}.npy"
    if not cache.exists():
        images = np.concatenate([read_idx(files[0], 3), read_idx(files[2], 3)])
        write_array(cache, (len(images), size, size, 1), _scaled(images, size), progress=progress)
    _keep(files, root / name)
    return cache


def read_idx(path: Path, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """Array of an IDX file of bytes, gzipped or not.

    Args:
        path: The file.
        num_axes: Number of axes that it must have: 3 for images, 1 for labels.

    Raises:
        ValueError: If the magic number, the axes or the number of bytes is wrong.
    """
    data = read_unzipped(path)
    magic = 0x800 + num_axes
    start = 4 + 4 * num_axes
    found = int.from_bytes(data[:4], "big")
    if len(data) < start or found != magic:
        raise ValueError(
            f"`{path}` must begin with the IDX number {magic:#x}; got {found:#x} in {len(data)} "
            "bytes. Fetch the file again."
        )
    shape = tuple(np.frombuffer(data[4:start], ">u4").tolist())
    if len(data) - start != (size := int(np.prod(shape))):
        raise ValueError(
            f"`{path}` must hold {size} bytes for its shape {shape}; got {len(data) - start}. "
            "Fetch the file again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _scaled(images: np.ndarray, size: int) -> Iterator[UInt8[np.ndarray, "batch size size 1"]]:
    for start in range(0, len(images), _CHUNK):
        yield fit_all(images[start : start + _CHUNK, :, :, None], size, 1)


def _files(root: Path, name: str, path: Path | None) -> list[Path]:
    """The four files, in the order of `NAMES`; torchvision leaves them in a folder raw."""
    folder = path or root / name
    places = [folder, folder / "raw", *sorted(folder.glob("*/raw"))]
    wanted = [[p / f for p in places for f in (file, f"{file}.gz")] for file in NAMES]
    found = [[file for file in files if file.is_file()] for files in wanted]
    missing = [file for file, files in zip(NAMES, found, strict=True) if not files]
    if missing:
        raise MissingDataError(
            f"{name} must be in `{folder}`; found no {', '.join(missing)} there, with .gz or "
            f"without. Run `autobeta data prepare {name} --download`, or place them in "
            f"`{root / name}`, or run `autobeta data prepare {name} --from FOLDER`."
        )
    return [files[0] for files in found]


def _keep(files: list[Path], folder: Path) -> None:
    """Copy the files into the cache folder where it has none of that name."""
    for name, file in zip(NAMES, files, strict=True):
        if not (folder / name).exists() and not (folder / f"{name}.gz").exists():
            with written_whole(folder / file.name) as beside:
                shutil.copyfile(file, beside)
