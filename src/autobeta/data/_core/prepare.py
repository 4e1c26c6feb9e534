"""From a data set's module to a FactorDataset: its files are found and converted once."""

import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Int

from autobeta.data._core.cache import OnProgress, key_of, write_images, writing_in, written_whole
from autobeta.data._core.dataset import FactorDataset, Images, Index, held_out
from autobeta.data._core.factors import FactorSpace, check_index
from autobeta.data._core.pixels import fit_all, quiet
from autobeta.data._core.sources import StoredImages, from_array, open_map
from autobeta.data._files.published import cache_stem, find_files, how_to_get, newest
from autobeta.data._files.reading import reading, shown
from autobeta.data._files.stored import open_arrays
from autobeta.errors import MissingDataError
from autobeta.settings import DataOptions

_RENDERED = 128  # images of 181 x 181 that are rendered at once; neighbours share much work


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What becomes a data set: the images of its files, and what is known about them.

    `images` come in order, in parts, as they are in the files; scaling is done here.
    `channels` are those of the prepared images, where nothing else is asked for; `source` says in
    words where they come from. `factors`, shape (num_images, num_factors), are left out where they
    are the full grid of `space` in order; `splits` are indices, where the set has its own; `notes`
    are sentences about what was left out, said whenever the data set is opened. `packed` images
    are 0 or 255 in all pixels, which take one bit.
    """

    num_images: int
    images: Iterable[Images]
    channels: int
    source: str
    space: FactorSpace | None = None
    factors: Int[np.ndarray, "images factors"] | None = None
    splits: dict[str, Int[np.ndarray, " _"]] | None = None
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    packed: bool = False


def load(module: ModuleType, name: str, options: DataOptions, root: Path) -> FactorDataset:
    """Open the data set of a module, prepared before or now."""
    render = getattr(module, "render", None)
    again = None if render is None else partial(render, image_size=options.image_size)
    cache = prepare(module, name, options, root)
    if cache is not None:
        variants = getattr(module, "VARIANTS", None)
        title = f"{name} {options.variant or variants[0]}" if variants else name
        dataset = replace(open_prepared(cache, title), render=again)
    else:
        assert again is not None  # what has no cache is rendered
        space = _space(module)
        everything = again(np.arange(space.num_combinations))
        dataset = FactorDataset(
            name=name,
            source="rendered",
            num_images=len(everything),
            image_shape=everything.shape[1:],
            images=from_array(everything),
            factor_space=space,
            factor_values=space.factors,
            render=again,
        )
    if hasattr(module, "PLACE") and list(dataset.splits) == ["train"]:
        return replace(dataset, splits=held_out(len(dataset), options))
    return dataset


def prepare(
    module: ModuleType,
    name: str,
    options: DataOptions,
    root: Path,
    on_progress: OnProgress | None = None,
) -> Path | None:
    """The cache file, converted or rendered if that is not done; None for sets in memory."""
    check_options(module, name, options)
    folder, stem = root / name, cache_stem(module, options)
    if hasattr(module, "PLACE"):
        place = _own_place(module, options)
        files = module.inputs(place) if hasattr(module, "inputs") else [place]
        key = key_of(files, options.skip_broken)
        cache = folder / f"{shown(place.stem)[:40].replace('/', '-')}-{stem}-{key}.npy"
        return _once(cache, lambda: module.convert(place, options), options, on_progress)
    found = find_files(module, name, options, folder)
    if found is not None:
        cache = folder / f"{stem}-{key_of(found.paths)}.npy"
        return _once(cache, lambda: found.convert(module, options), options, on_progress)
    if (kept := newest(folder, stem)) is not None:
        return kept
    if not hasattr(module, "render"):
        raise MissingDataError(
            f"{name} must be prepared once; found no {stem}-*.npy in `{shown(folder)}`"
            f"{_others(folder)}. {how_to_get(module, name, options, folder)}"
        )
    if not hasattr(module, "DISK"):
        return None
    cache = folder / f"rendered-{options.image_size}.npy"
    return _once(cache, lambda: _rendering(module, options), options, on_progress)


def _others(folder: Path) -> str:
    """What an error adds where the files were prepared, but with other options."""
    stems = sorted({file.stem.rpartition("-")[0] for file in folder.glob("*-*.npy")})
    options = "--variant, --image-size, --channels and --unofficial"
    return f", but {', '.join(stems)}: give the {options} that it was prepared with" * bool(stems)


def check_options(module: ModuleType | None, name: str, options: DataOptions) -> None:
    """Refuse a size, channels, a variant or a path that the data set can't be brought to."""
    sizes, channels = getattr(module, "SIZES", None), getattr(module, "CHANNELS", (1, 3))
    if sizes and options.image_size not in (None, *sizes):
        raise ValueError(
            f"`image_size` must be {' or '.join(map(str, sizes))} for {name}; got "
            f"{options.image_size}. Scaled, it would be another data set."
        )
    if options.channels is not None and options.channels not in channels:
        raise ValueError(
            f"`channels` must be {' or '.join(map(str, channels))} for {name}; got "
            f"{options.channels}. Leave it out to keep what the images have."
        )
    variants = getattr(module, "VARIANTS", ())
    if options.variant is not None and options.variant not in variants:
        must = f"one of {', '.join(variants)}" if variants else "left out"
        raise ValueError(f"`variant` must be {must} for {name}; got {options.variant!r}.")
    if options.path is not None and not any(hasattr(module, f) for f in ("FILES", "PLACE")):
        raise ValueError(
            f"`path` must be left out for {name}; got {shown(options.path)}. It reads no file."
        )


def _own_place(module: ModuleType, options: DataOptions) -> Path:
    if options.path is None:
        raise ValueError(f"`path` must be {module.PLACE}; got None. Give its place.")
    place = options.path.expanduser()
    if not place.exists():
        raise MissingDataError(
            f"`path` must be {module.PLACE}; found none at `{shown(place)}`. Give its place."
        )
    return place.resolve()


def _rendering(module: ModuleType, options: DataOptions) -> Conversion:
    space, size = _space(module), options.image_size
    assert size is not None  # what is rendered has a size
    total, first = space.num_combinations, module.render(np.arange(1), image_size=size)
    rows = _RENDERED * max(1, 2**15 // size**2)
    parts = (np.arange(start, min(start + rows, total)) for start in range(0, total, rows))
    return Conversion(
        num_images=total,
        images=(module.render(part, image_size=size) for part in parts),
        channels=first.shape[-1],
        source="rendered",
        space=space,
        packed=getattr(module, "PACKED", False),
    )


def _space(module: ModuleType) -> FactorSpace:
    sizes: dict[str, int] = module.FACTORS
    return getattr(module, "SPACE", FactorSpace(tuple(sizes), tuple(sizes.values())))


def _once(
    cache: Path,
    convert: Callable[[], Conversion],
    options: DataOptions,
    on_progress: OnProgress | None,
) -> Path:
    """Write a conversion to `cache` if it is not there; its images last: they say that all is."""
    if not (cache.exists() and _facts(cache).exists()):
        with writing_in(cache.parent):
            if not (cache.exists() and _facts(cache).exists()):
                _write(cache, convert(), options, on_progress)
    return cache


def _write(
    cache: Path, found: Conversion, options: DataOptions, on_progress: OnProgress | None
) -> None:
    size, channels = options.image_size, options.channels or found.channels
    images = (fit_all(chunk, size, channels) for chunk in found.images)
    with written_whole(cache) as beside, quiet():
        if (first := next(images, None)) is None:
            raise ValueError("`data` must have at least one image; got none. Add images.")
        shape = (found.num_images, *first.shape[1:])  # the images may keep a size of their own
        chunks: Iterator[np.ndarray] = chain([first], images)
        if found.packed:
            chunks = (np.packbits(chunk.reshape(len(chunk), -1), axis=1) for chunk in chunks)
        checksums = write_images(beside, _stored_shape(shape, found.packed), chunks, on_progress)
        space = found.space and dict(zip(found.space.names, found.space.sizes, strict=True))
        facts: dict[str, Any] = {"source": found.source, "factors": space, "shape": shape}
        facts |= {"packed": found.packed, "names": found.names, "notes": found.notes}
        arrays = {f"split_{name}": index for name, index in (found.splits or {}).items()}
        if found.factors is not None:
            arrays["factors"] = found.factors
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with written_whole(_facts(cache)) as facts_beside, facts_beside.open("wb") as file:
            np.savez_compressed(
                file, allow_pickle=False, facts=text, checksums=checksums, **arrays
            )


def _stored_shape(shape: tuple[int, ...], packed: bool) -> tuple[int, ...]:
    return (shape[0], -(-math.prod(shape[1:]) // 8)) if packed else shape


def open_prepared(cache: Path, name: str) -> FactorDataset:
    """The data set in a cache file; what it left out is said, as a warning."""
    way_out = "Delete it to have the data prepared again."
    with reading(_facts(cache), "description of prepared data", way_out):
        arrays = {key: array.read() for key, array in open_arrays(_facts(cache)).items()}
        facts: dict[str, Any] = json.loads(arrays.pop("facts").tobytes())
        checksums, factors = arrays.pop("checksums"), arrays.pop("factors", None)
        shape, sizes, names = tuple(facts["shape"]), facts["factors"], facts["names"]
    table = open_map(cache, _stored_shape(shape, facts["packed"]))
    space = FactorSpace(tuple(sizes), tuple(sizes.values())) if sizes is not None else None
    values = space.factors if space is not None else None
    for note in facts["notes"]:
        warnings.warn(note, stacklevel=4)
    return FactorDataset(
        name=name,
        source=facts["source"],
        num_images=shape[0],
        image_shape=shape[1:],
        images=StoredImages(
            table=table, image_shape=shape[1:], packed=facts["packed"], checksums=checksums
        ),
        factor_space=space,
        factor_values=values if factors is None else rows_of(factors),
        splits={key.removeprefix("split_"): index for key, index in arrays.items()},
        names=None if names is None else tuple(names),
    )


def rows_of(table: Int[np.ndarray, "images factors"]) -> Callable[[Index], np.ndarray]:
    """Function from indices to rows of a table; it can be sent to another process."""
    return partial(_rows, table)


def _rows(
    table: Int[np.ndarray, "images factors"], index: Index
) -> Int[np.ndarray, "batch factors"]:
    check_index(index, len(table))
    return table[index]


def _facts(cache: Path) -> Path:
    return cache.with_suffix(".npz")
