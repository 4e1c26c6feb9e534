"""Official files: found, and converted once into the cache folder."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from autobeta.data._archives import Archive, open_archive
from autobeta.data._cache import Report, fingerprint, write_array, written_whole
from autobeta.data._dataset import DataOptions, FactorDataset, Index
from autobeta.data._download import OfficialFile, check_file
from autobeta.data._factors import FactorSpace, check_index
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What becomes the cache of a data set.

    Args:
        shape: (num_images, height, width, channels).
        chunks: The images in order, in parts.
        source: Where they come from, in words.
        space: Their factors; None where there are none.
        factors: Factor values of each image, shape (num_images, num_factors), where they are not
            the full grid in order.
        splits: Indices of the parts, where the set has official ones.
    """

    shape: tuple[int, int, int, int]
    chunks: Iterable[UInt8[np.ndarray, "..."]]
    source: str
    space: FactorSpace | None
    factors: Int[np.ndarray, "images factors"] | None = None
    splits: dict[str, Int[np.ndarray, " _"]] | None = None


def convert_once(
    cache: Path, convert: Callable[[], Conversion], progress: Report | None = None
) -> Path:
    """Write the images of a conversion to `cache`, and what belongs to them beside it.

    The images come last and under their name only when they are whole, so that a cache file says
    that everything is there. A killed conversion starts anew.
    """
    if not cache.exists():
        found = convert()
        arrays = {f"split_{name}": part for name, part in (found.splits or {}).items()}
        if found.factors is not None:
            arrays["factors"] = found.factors.astype(np.int32)
        space = found.space and dict(zip(found.space.names, found.space.sizes, strict=True))
        facts = json.dumps({"source": found.source, "factors": space}, ensure_ascii=False)
        with written_whole(_facts(cache)) as beside:
            beside.write_text(facts, "utf-8")
        with written_whole(_tables(cache)) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        write_array(cache, found.shape, found.chunks, progress=progress)
    return cache


def prepare_official(
    root: Path,
    name: str,
    options: DataOptions,
    progress: Report | None,
    *,
    files: list[OfficialFile],
    convert: Callable[[list[Path]], Conversion],
    by_hand: str = "",
) -> Path:
    """Convert official files once; without them, the cache file last made of such files.

    Args:
        root: Cache folder of all data sets.
        name: Name of the data set.
        options: What was asked for.
        progress: Called with (images done, images in all).
        files: What to look for in `options.path` or in the data set's cache folder.
        convert: From their paths to what is kept.
        by_hand: Where files without an address are published.

    Returns:
        The cache file.

    Raises:
        MissingDataError: If there are neither files nor a cache file.
        ValueError: If a file is not as published, or damaged.
    """
    folder, stem = root / name, cache_stem(options)
    paths = find_files(folder, options, files)
    if paths is None:
        return newest(folder, stem, name, how_to_get(folder, files, by_hand))
    cache = folder / f"{stem}-{fingerprint(paths)}.npy"
    if not cache.exists():
        for path, file in zip(paths, files, strict=True):
            check_file(path, file, unofficial=options.unofficial)
    return convert_once(cache, lambda: convert(paths), progress)


def prepare_archive(
    root: Path,
    name: str,
    options: DataOptions,
    progress: Report | None,
    *,
    file: OfficialFile,
    convert: Callable[[Archive], Conversion],
) -> Path:
    """`prepare_official` for one archive, or a folder unpacked from it.

    Args:
        root: Cache folder of all data sets.
        name: Name of the data set.
        options: `path` is the archive, a folder that it is in, or one unpacked from it.
        progress: Called with (images done, images in all).
        file: The published archive; a folder is not compared with it.
        convert: From the archive to what is kept.

    Returns:
        The cache file.

    Raises:
        MissingDataError: If there are neither files nor a cache file.
        ValueError: If a file is not as published, or damaged.
    """
    folder, stem = root / name, cache_stem(options)
    unpacked = file.name.split(".")[0]
    place = inside(folder, [file.name, unpacked])
    if options.path is not None:
        place = inside(options.path, [file.name]) or options.path
    if place is None:
        return newest(folder, stem, name, how_to_get(folder, [file]))
    archive = open_archive(place)
    cache = folder / f"{stem}-{fingerprint([place])}.npy"
    if not cache.exists() and place.is_file():
        check_file(place, file, unofficial=options.unofficial)
    return convert_once(cache, lambda: convert(archive), progress)


def inside(folder: Path, names: list[str]) -> Path | None:
    """The first of these names that is in a folder."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def cache_stem(options: DataOptions) -> str:
    """What the name of a cache file begins with, before the fingerprint of the files."""
    parts = [options.variant, options.image_size, options.channels]
    parts += ["unofficial"] if options.unofficial else []
    return "-".join(str(part) for part in parts if part is not None)


def how_to_get(folder: Path, files: list[OfficialFile], by_hand: str = "") -> str:
    """What to fetch and where to put it, in sentences."""
    name = folder.name
    places = [file.url or f"{file.name} from {by_hand}" for file in files]
    fetched = (
        f"Run `autobeta data prepare {name} --download`, or fetch" if files[0].url else "Fetch"
    )
    return (
        f"{fetched} {', '.join(places)} and place it in `{folder}`, or run "
        f"`autobeta data prepare {name} --from FILE_OR_FOLDER`."
    )


def open_converted(cache: Path, name: str) -> FactorDataset:
    """The data set in a cache file that `convert_once` wrote.

    Args:
        cache: The file.
        name: Name of the data set.

    Raises:
        ValueError: If a file is damaged.
    """
    images = open_map(cache)
    with np.load(_tables(cache), allow_pickle=False) as tables:
        arrays = {key: tables[key].astype(np.int64) for key in tables.files}
    facts = json.loads(_facts(cache).read_text("utf-8"))
    space = None
    if facts["factors"] is not None:
        space = FactorSpace(tuple(facts["factors"]), tuple(facts["factors"].values()))
    factors = arrays.pop("factors", None)
    values = space.factors if space is not None else None
    return FactorDataset(
        name=name,
        source=facts["source"],
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=space,
        factor_values=values if factors is None else rows_of(factors),
        splits={key.removeprefix("split_"): part for key, part in arrays.items()},
    )


def rows_of(table: Int[np.ndarray, "images factors"]) -> Callable[[Index], np.ndarray]:
    """Function from indices to rows of a table."""

    def rows(index: Index) -> Int[np.ndarray, "batch factors"]:
        check_index(index, len(table))
        return table[index]

    return rows


def newest(folder: Path, stem: str, name: str, how: str) -> Path:
    """The cache file last made under a name, where no official files are at hand.

    Args:
        folder: Cache folder of the data set.
        stem: What the file's name begins with, before the fingerprint.
        name: Name of the data set, for the message.
        how: What to fetch, and where to put it, a sentence or more.

    Raises:
        MissingDataError: If there is none.
    """
    digits = "[0-9a-f]" * 12
    kept = sorted(folder.glob(f"{stem}-{digits}.npy"), key=lambda file: file.stat().st_mtime)
    if not kept:
        raise MissingDataError(
            f"{name} must be prepared once; found no {stem}-*.npy in `{folder}`. {how}"
        )
    return kept[-1]


def find_files(
    folder: Path, options: DataOptions, files: Iterable[OfficialFile]
) -> list[Path] | None:
    """The official files in `options.path`, or in the data set's cache folder.

    Args:
        folder: Cache folder of the data set.
        options: `path` may be the file itself where there is one, or the folder of all.
        files: What to look for.

    Returns:
        One path for each; None if none is there and `path` was not given.

    Raises:
        MissingDataError: If `path` lacks one, or the cache folder has some of them.
    """
    files = list(files)
    given = options.path
    if given is not None and given.is_file() and len(files) == 1:
        return [given]
    place = given or folder
    found = [_look(place, file.name) for file in files]
    missing = [file.name for file, path in zip(files, found, strict=True) if path is None]
    if not missing:
        return [path for path in found if path is not None]
    if given is None and len(missing) == len(files):
        return None
    raise MissingDataError(
        f"`path` must have {', '.join(file.name for file in files)}; found no "
        f"{', '.join(missing)} in `{place}`."
    )


def _look(place: Path, name: str) -> Path | None:
    """A file of that name, or its unzipped form, in a folder or below it."""
    for wanted in (name, name.removesuffix(".gz")):
        direct = place / wanted
        if direct.is_file():
            return direct
        for path in sorted(place.rglob(wanted)):
            return path
    return None


def _facts(cache: Path) -> Path:
    return cache.with_suffix(".json")


def _tables(cache: Path) -> Path:
    return cache.with_suffix(".npz")
