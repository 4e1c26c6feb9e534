"""Your own images: every image file in a folder and the folders in it, with labels if any.

All formats that Pillow reads are taken, of 8 or 16 bits, in the natural order of their paths
(`2.png` before `10.png`); of an animation the first picture. The shorter side is scaled to
`image_size` with anti-aliasing and the centre square is cut out; with None, images of one size
stay as they are. All become grey if every image is grey, else RGB; `channels` overrides it. Files
and folders whose name begins with a dot are left out, and runs and studies that lie there: their
pictures are no images of the data. The images are converted once, into the cache folder, and again
when a file of them changes.

Folders `train`, `test` and `validation` at the top keep their images apart. Factors come from
`metadata.csv`, `labels.csv` or the only .csv file at the top: a row has the name of a file, in the
column `file_name` or the first, and its values. Without one they come from the folders that the
images lie in, where all lie in folders, and in several.

Options read: `path` (the folder), `image_size`, `channels` (1, 3), `skip_broken`,
`test_fraction`, `split_seed`.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from autobeta.data._core.labels import guessed, natural
from autobeta.data._core.pixels import suffixes
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.images import SPLITS, convert_images, refuse_broken
from autobeta.data._files.reading import shown
from autobeta.data._files.tables import Columns, columns_for
from autobeta.settings import DataOptions

SOURCE = "A folder of your own images."
LICENSE = "Yours"
PLACE = "a folder of images"

_TABLES = ("metadata.csv", "labels.csv")
_OURS = {
    "config.json": {"format", "method_config"},
    "study.json": {"format", "runs_folder"},
    "suggestion.json": {"target", "settings"},
}


def inputs(place: Path) -> list[Path]:
    """The images in order, then the table of labels, if there is one."""
    if not place.is_dir():
        raise ValueError(f"`path` must be {PLACE}; got the file `{shown(place)}`.")
    ours: list[Path] = []
    files = visible(place, ours)
    images = [file for file in files if file.suffix.lower() in suffixes()]
    if not images:
        written = f" but what autobeta has written in {shown(ours[0])}" if ours else ""
        raise ValueError(
            "`path` must have an image that Pillow can read; got "
            f"{_counted(files) or 'no file'}{written} below `{shown(place)}`. Convert others to "
            "PNG."
        )
    return sorted(images, key=lambda file: natural(file.as_posix())) + _table(place)


def convert(place: Path, options: DataOptions) -> Conversion:
    """All images, with labels from the table or the folders."""
    read, table = inputs(place), _table(place)
    files = read[: len(read) - len(table)]
    names = [shown(file.relative_to(place)) for file in files]
    folders = [tuple(file.relative_to(place).parts[:-1]) for file in files]
    splits = [SPLITS.get(parts[0].lower()) if parts else None for parts in folders]
    if "train" in splits:
        folders = [parts[1:] if s else parts for parts, s in zip(folders, splits, strict=True)]
    where = f"the folder {shown(place.name)}"
    try:
        found = columns_for(table[0], names) if table else None
    except ValueError:
        if not options.skip_broken:  # what is broken needs no row
            refuse_broken(len(files), lambda i: (files[i], None))
        raise
    if found is None and table and table[0].name in _TABLES:
        raise ValueError(
            f"`{shown(table[0])}` must name the images; got none of {names[0]} and others. "
            "Correct it, or move it out of the folder."
        )
    columns, rows = (_classes(folders), []) if found is None else found
    used = set(files if found is None else read)
    ours: list[Path] = []
    left = _counted([file for file in visible(place, ours) if file not in used])
    notes = [f"{where}: left out {left}, no images or tables that are read."] if left else []
    if ours:
        written = ", ".join(shown(folder.relative_to(place)) for folder in sorted(ours)[:3])
        notes.append(f"{where}: left out {written}, where autobeta has written.")
    if rows:
        notes.append(f"{where}: no image for {len(rows)} rows of the table, such as {rows[0]}.")
    return convert_images(
        names,
        lambda i: (files[i], None),
        options=options,
        where=where,
        labels=guessed(columns, where, declared=set()),
        splits=splits,
        notes=notes,
        keep_names=True,
    )


def _classes(folders: Sequence[tuple[str, ...]]) -> Columns:
    several = all(folders) and len({parts[0] for parts in folders}) > 1
    return {"class": [shown(parts[0]) for parts in folders]} if several else {}


def visible(place: Path, ours: list[Path] | None = None) -> list[Path]:
    """All files of a folder and those below it but hidden ones; links are followed.

    What is in folders below it that autobeta wrote is left out; they are put into `ours`.
    """
    return list(_visible(place, frozenset(), [] if ours is None else ours))


def _visible(place: Path, above: frozenset[str], ours: list[Path]) -> Iterator[Path]:
    real = os.path.realpath(place)
    if real in above:  # a link back to where it is
        return
    with os.scandir(place) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    if above and any(entry.name in _OURS and _is_ours(Path(entry.path)) for entry in shown):
        ours.append(place)
        return
    for entry in shown:
        if entry.is_dir():
            yield from _visible(Path(entry.path), above | {real}, ours)
        elif entry.is_file():
            yield Path(entry.path)


def _is_ours(file: Path) -> bool:
    """Whether a file is the one by which a run, a study or a suggestion is known."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and _OURS[file.name] <= found.keys()


def _table(place: Path) -> list[Path]:
    named = [place / name for name in _TABLES if (place / name).is_file()]
    tables = [file for file in place.glob("[!.]*.csv") if file.is_file()]
    return named[:1] or (tables if len(tables) == 1 else [])


def _counted(files: Sequence[Path]) -> str:
    kinds = Counter(shown(file.suffix.lower()) or "without ending" for file in files)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
