"""A Hugging Face data set on your disk, as `Dataset.save_to_disk` leaves it, or Parquet files.

The images are the one column of type Image (or the one called `image` or `images`). Factors are
the columns of class labels, booleans, whole numbers and repeated texts; what looks like an
identifier is left out. The splits `train`, `validation` and `test` are kept, of Parquet files by
the words in their names; where there is `train` alone, a part is held out at random. Images are
brought to size as those of a folder are. Nothing is fetched, and no code of the data set is run.
The library `datasets` must be installed: `pip install "autobeta[huggingface]"`.

Options read: `path` (the folder, or one Parquet file), `image_size`, `channels` (1, 3),
`skip_broken`, `test_fraction`, `split_seed`.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from autobeta.data._core.labels import guessed
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.images import SPLITS, convert_images
from autobeta.data._files.reading import reading, shown
from autobeta.errors import MissingDataError
from autobeta.settings import DataOptions

SOURCE = "A Hugging Face data set on your disk."
LICENSE = "Yours"
PLACE = "a saved data set or Parquet files"

MARKERS = ("dataset_info.json", "dataset_dict.json", "state.json")
SUFFIXES = (".arrow", ".parquet")


def inputs(place: Path) -> list[Path]:
    """The files that the images depend on."""
    if place.is_file():
        return [place]
    files = sorted(path for path in place.rglob("*") if path.suffix in (*SUFFIXES, ".json"))
    if not any(path.suffix in SUFFIXES for path in files):
        raise MissingDataError(
            f"`path` must be a folder with {' or '.join(SUFFIXES)} files; found none in "
            f"`{shown(place)}`. Save a data set there with its save_to_disk."
        )
    return files


def convert(place: Path, options: DataOptions) -> Conversion:
    """Images and factors of all splits, one after the other."""
    parts, notes = _open(place)
    features = next(iter(parts.values())).features
    column = _image_column(features, place)
    undecoded = replace(features[column], decode=False)  # so that our own checks read the bytes
    images = {split: part.cast_column(column, undecoded)[column] for split, part in parts.items()}
    rows = [(split, i) for split, part in parts.items() for i in range(len(part))]
    names = [f"{column} in row {i} of {split}" for split, i in rows]

    def source(i: int) -> tuple[Path, bytes | None]:
        split, row = rows[i]
        cell = images[split][row] or {"path": None, "bytes": b""}
        path, data = Path(cell["path"] or place / names[i]), cell["bytes"]
        waits = data is None and path.exists() and not path.is_file()  # such as a FIFO
        return path, b"" if waits else data

    where = f"the data set {shown(place.name)}"
    columns, declared = _columns(list(parts.values()), features)
    return convert_images(
        names,
        source,
        options=options,
        where=where,
        labels=guessed(columns, where, declared=declared),
        splits=[split for split, _ in rows],
        notes=notes,
    )


def _open(place: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f"`datasets` must be installed to read `{shown(place)}`; got: {error}. "
            'Run: pip install "autobeta[huggingface]"'
        ) from error
    with reading(place, "whole saved data set", "Save it again."):
        if any((place / marker).exists() for marker in MARKERS):
            loaded = datasets.load_from_disk(str(place))
            named = loaded if isinstance(loaded, dict) else {"train": loaded}
            found = {SPLITS.get(name, name): part for name, part in named.items()}
        else:
            files = _parquet_files(place)
            found = {split: datasets.Dataset.from_parquet(of) for split, of in files.items()}
    if "train" not in found:
        raise ValueError(
            f"`{shown(place)}` must have a split 'train'; got {sorted(found)}. Rename one."
        )
    kept = {split: found[split] for split in ("train", "test", "validation") if split in found}
    left = ", ".join(f"{split} ({len(found[split])} rows)" for split in found if split not in kept)
    return kept, [f"{shown(place.name)}: left out {left}, no known split."] if left else []


def _parquet_files(place: Path) -> dict[str, list[str]]:
    """Files by the first word in their names, or their folders', that is a split's."""
    found: dict[str, list[str]] = {}
    files = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    for file in files:
        parts = file.relative_to(place).parts[::-1]
        words = [word for part in parts for word in re.split("[^a-z]+", part.lower())]
        split = next((SPLITS[word] for word in words if word in SPLITS), "files of no split")
        found.setdefault(split, []).append(str(file))
    return found if "train" in found else {"train": list(map(str, files))}


def _image_column(features: Any, place: Path) -> str:  # noqa: ANN401 - datasets.Features
    import datasets

    images = [n for n, f in features.items() if isinstance(f, datasets.Image)]
    named = [n for n in ("image", "images") if n in images]
    if len(images) != 1 and not named:
        raise ValueError(
            f"`{shown(place)}` must have one column of images, or one called image; got "
            f"{images or 'none'} among {sorted(features)}. Cast one with datasets.Image()."
        )
    return named[0] if named else images[0]


def _columns(parts: list[Any], features: Any) -> tuple[dict[str, list[Any]], set[str]]:  # noqa: ANN401
    """Columns of numbers, booleans and texts, and which of them are said to be labels."""
    kinds = ("int", "uint", "bool", "float", "string", "large_string")
    plain = [n for n, f in features.items() if str(getattr(f, "dtype", "")).startswith(kinds)]
    columns = {name: [value for part in parts for value in part[name][:]] for name in plain}
    return columns, {name for name in plain if hasattr(features[name], "names")}
