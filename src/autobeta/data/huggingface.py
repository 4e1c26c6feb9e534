"""A Hugging Face data set on your disk, as `Dataset.save_to_disk` leaves it, or Parquet files.

The images are the one column of type Image (or the one called `image` or `images`). Columns of
class labels and of integers from 0 are the factors. The parts `train` and `test` are kept; where
there is no `test`, a part is held out at random. Images are brought to size as those of a folder
are. Nothing is fetched, and no code of the data set is run. The library `datasets` must be
installed: `pip install "autobeta[huggingface]"`.

Options read: `path` (the folder), `image_size` (32, 64, 128), `channels` (1, 3), `test_fraction`,
`split_seed`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from autobeta.data._cache import Report, fingerprint
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    Images,
    check_options,
    held_out,
)
from autobeta.data._factors import FactorSpace
from autobeta.data._official import Conversion, convert_once, open_converted
from autobeta.data._pixels import Pixels, decode, fit
from autobeta.errors import MissingDataError

SOURCE = "A Hugging Face data set on your disk."
LICENSE = "Yours"
CITATION = ""
FACTORS = {}  # type: dict[str, int]

MARKERS = ("dataset_info.json", "dataset_dict.json", "state.json")
SUFFIXES = (".arrow", ".parquet")


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open a saved data set, with a part held out.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If `path` is no such folder.
        ValueError: If it breaks a rule of the module, or an option can't be honoured.
        ImportError: If `datasets` is not installed.
    """
    dataset = open_converted(prepare(root, options), "huggingface")
    if "test" in dataset.splits:
        return dataset
    return replace(dataset, splits=held_out(len(dataset), options))


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Convert the images if that is not done or the folder has changed; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: As for `load`.
        ValueError: As for `load`.
        ImportError: As for `load`.
    """
    check_options("huggingface", options)
    folder = options.path
    if folder is None:
        raise ValueError("`path` must be the folder of a saved data set; got None. Give it.")
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not files:
        raise MissingDataError(
            f"`path` must be a folder with {' or '.join(SUFFIXES)} files; found none in "
            f"`{folder}`. Save a data set there with its save_to_disk."
        )
    key = fingerprint(files, options.image_size, options.channels)
    cache = root / "huggingface" / f"{folder.resolve().name}-{key}.npy"
    return convert_once(cache, lambda: _convert(folder, options), progress)


def _convert(folder: Path, options: DataOptions) -> Conversion:
    parts = _open(folder)
    first = next(iter(parts.values()))
    column = _image_column(first, folder)
    rows = [
        part.cast_column(column, _undecoded(first.features[column])) for part in parts.values()
    ]
    channels = options.channels or _channels(rows[0], column, folder)
    size = options.image_size
    names, factors = _factors(list(parts.values()), column)
    counts = [len(part) for part in parts.values()]
    starts = np.cumsum([0, *counts])
    splits = {
        name: np.arange(start, start + count)
        for name, start, count in zip(parts, starts, counts, strict=False)
    }
    return Conversion(
        shape=(int(starts[-1]), size, size, channels),
        chunks=_images(rows, column, folder, size, channels),
        source=f"{starts[-1]} images of the data set {folder.resolve().name}",
        space=FactorSpace(names, tuple((factors.max(axis=0) + 1).tolist())) if names else None,
        factors=factors if names else None,
        splits=splits if {"train", "test"} <= set(splits) else None,
    )


def _open(folder: Path) -> dict[str, Any]:
    """Parts by name: "train" first, then "test" where there is one; others are joined to none."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f"`datasets` must be installed to read `{folder}`; got: {error}. "
            'Run: pip install "autobeta[huggingface]"'
        ) from error
    try:
        if any((folder / marker).exists() for marker in MARKERS):
            found = datasets.load_from_disk(str(folder))
        else:
            files = {
                part: sorted(str(path) for path in folder.rglob("*.parquet") if part in path.name)
                for part in ("train", "test")
            }
            named = {part: paths for part, paths in files.items() if paths}
            everything = {"train": sorted(map(str, folder.rglob("*.parquet")))}
            parquet = {
                part: datasets.Dataset.from_parquet(paths)
                for part, paths in (named if "train" in named else everything).items()
            }
            return parquet
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"`{folder}` must be a whole saved data set; got {error}. Save it again."
        ) from error
    if not isinstance(found, dict):
        return {"train": found}
    if "train" not in found:
        raise ValueError(f"`{folder}` must have a part 'train'; got {sorted(found)}.")
    return {part: found[part] for part in ("train", "test") if part in found}


def _image_column(part: Any, folder: Path) -> str:  # noqa: ANN401 - datasets.Dataset
    import datasets

    images = [n for n, f in part.features.items() if isinstance(f, datasets.Image)]
    named = [n for n in ("image", "images") if n in images]
    if len(images) != 1 and not named:
        raise ValueError(
            f"`{folder}` must have one column of images, or one called image; got "
            f"{images or 'none'} among {sorted(part.features)}."
        )
    return named[0] if named else images[0]


def _undecoded(feature: Any) -> Any:  # noqa: ANN401 - datasets.Image
    """The same feature, giving the bytes of the file, so that our own checks read them."""
    return replace(feature, decode=False)


def _pixels(row: dict[str, Any], column: str, folder: Path) -> Pixels:
    cell = row[column]
    return decode(Path(cell["path"] or folder / column), cell["bytes"])


def _channels(rows: Any, column: str, folder: Path) -> int:  # noqa: ANN401
    """1 if the first hundred images are grey, else 3."""
    some = (rows[i] for i in range(min(len(rows), 100)))
    return max(_pixels(row, column, folder).shape[2] for row in some)


def _images(
    parts: list[Any], column: str, folder: Path, size: int, channels: int
) -> Iterator[Images]:
    for part in parts:
        for row in part:
            yield fit(_pixels(row, column, folder), size, channels)[None]


def _factors(
    parts: list[Any], column: str
) -> tuple[tuple[str, ...], Int[np.ndarray, "images factors"]]:
    """Names and values of the columns that hold class labels or integers from 0."""
    features = parts[0].features
    found: dict[str, np.ndarray] = {}
    for name, feature in features.items():
        whole = str(getattr(feature, "dtype", "")).startswith(("int", "uint"))
        if name != column and whole:
            values = np.concatenate([np.asarray(part[name][:], np.int64) for part in parts])
            if values.min() >= 0:
                found[name] = values
    table = np.stack(list(found.values()), axis=1) if found else np.empty((0, 0), np.int64)
    return tuple(found), table
