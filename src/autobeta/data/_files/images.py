"""A user's own image files, from a folder or a table: which can be read, and what they become."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from autobeta.data._core.dataset import Images
from autobeta.data._core.labels import Labels
from autobeta.data._core.pixels import WAY_OUT, Pixels, decode, decoded, is_grey, of_one_size
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import Archive
from autobeta.settings import DataOptions

Source = Callable[[int], tuple[Path, bytes | None]]

SPLITS = dict.fromkeys(("train", "training"), "train") | dict.fromkeys(("test", "testing"), "test")
SPLITS |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")


def convert_images(
    names: Sequence[str],
    source: Source,
    *,
    options: DataOptions,
    where: str,
    labels: Labels,
    splits: Sequence[str | None],
    notes: Iterable[str] = (),
    keep_names: bool = False,
) -> Conversion:
    """Images in order; all grey if every one is grey, else RGB.

    `source` gives the path of an image by its position, and its bytes if they are not there;
    `names` say in messages which it is, `where` where all come from.
    """
    grey, broken = _tried(range(len(names)), source, is_grey)
    if broken or options.skip_broken:
        broken |= _tried(grey, source, _whole)[1]
    kept = np.array([i for i in grey if i not in broken], np.int64)
    if not options.skip_broken or not len(kept):
        _refuse(broken)
    found = splits_of([splits[i] for i in kept])
    skipped = ", ".join(names[i] for i in sorted(broken))
    channels = 1 if all(grey[i] for i in kept) else 3
    outside = len(kept) - sum(map(len, found.values())) if found else 0
    more = [f"{where}: {len(broken)} broken images skipped: {skipped}."] * bool(broken)
    more += [f"{where}: {outside} images are in none of the splits."] * bool(outside)
    return Conversion(
        num_images=len(kept),
        images=parts(_decoded(kept, names, source, options, channels), options),
        channels=channels,
        source=f"{len(kept)} images of {where}",
        space=labels.space,
        factors=None if labels.table is None else labels.table[kept],
        splits=found,
        names=tuple(names[i] for i in kept) if keep_names else None,
        notes=(*notes, *labels.notes, *more),
    )


def splits_of(splits: Sequence[str | None]) -> dict[str, Int[np.ndarray, " _"]] | None:
    """Positions by split; None unless some are for training and some are held out."""
    if "train" not in splits or set(splits) <= {"train", None}:
        return None
    found = dict.fromkeys(split for split in ("train", "test", "validation") if split in splits)
    return {split: np.flatnonzero([s == split for s in splits]) for split in found}


def parts(images: Iterable[tuple[str, Pixels]], options: DataOptions) -> Iterator[Images]:
    """Images of a name each as the parts of a conversion; of one size, if they are to keep it."""
    return (pixels[None] for pixels in of_one_size(images, options.image_size))


def parts_of(
    archive: Archive, names: Iterable[str], options: DataOptions, *, cut: int | None = None
) -> Iterator[Images]:
    """Images of an archive; the centre of `cut` pixels, unless they are to keep their size."""
    size, channels = options.image_size, options.channels or 3
    files = ((name, archive.place / name, data) for name, data in archive.read_all(names))
    found = decoded(files, size, channels, cut=None if size is None else cut)
    return parts(map(_sound, found), options)


def _sound(found: tuple[str, Pixels | ValueError]) -> tuple[str, Pixels]:
    name, pixels = found
    if isinstance(pixels, ValueError):
        raise pixels
    return name, pixels


def _decoded(
    kept: Int[np.ndarray, " kept"],
    names: Sequence[str],
    source: Source,
    options: DataOptions,
    channels: int,
) -> Iterator[tuple[str, Pixels]]:
    """Names and images; after a broken one the others are tried, to name all in one error."""
    broken: dict[int, str] = {}
    files = ((i, *source(i)) for i in kept.tolist())
    for i, pixels in decoded(files, options.image_size, options.channels or channels):
        if isinstance(pixels, ValueError):
            broken[i] = str(pixels)
        elif not broken:
            yield names[i], pixels
    _refuse(broken)


def _tried(
    positions: Iterable[int], source: Source, read: Callable[[Path, bytes | None], Any]
) -> tuple[dict[int, Any], dict[int, str]]:
    """What is read of each image, and what is said of those that can't be read."""
    found, broken = dict[int, Any](), dict[int, str]()
    for i in positions:
        try:
            found[i] = read(*source(i))
        except ValueError as error:
            broken[i] = str(error)
    return found, broken


def _whole(path: Path, data: bytes | None) -> bool:
    """True, where `decode` fails not; the pixels of a whole set would fill the memory."""
    return decode(path, data) is not None


def refuse_broken(count: int, source: Source) -> None:
    """A ValueError that names all of `count` images that can't be read, if there are any."""
    _refuse(_tried(range(count), source, _whole)[1])


def _refuse(broken: dict[int, str]) -> None:
    if broken:
        said = "\n".join(sentence.removesuffix(f" {WAY_OUT}") for sentence in broken.values())
        raise ValueError(
            f"{said}\nRepair, convert or remove what is broken, or take the other images alone: "
            "--skip-broken of train METHOD, suggest, encode and data; skip_broken=True in Python."
        )
