"""Tells when files of runs have changed, for a page that is written again."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import sleep

_READ = {".json", ".jsonl", ".npz", ".safetensors"}  # ends of the files that a report reads
_DAY = 86_400


def changes(places: Sequence[Path], *, watch: float) -> Iterator[None]:
    """Gives once, and again whenever a file is new, gone or changed.

    Args:
        places: Folders, with all below them, and files; what is not there may come.
        watch: Seconds between two looks.

    Raises:
        ValueError: If `watch` is not positive, or more than a day.
    """
    if not 0 < watch <= _DAY:
        raise ValueError(f"`watch` must be in (0, {_DAY}]; got {watch:g}. Give 10.")
    former = _state(places)
    yield
    while True:
        sleep(watch)
        if (now := _state(places)) != former:
            former = now
            yield


def _state(places: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """When each file changed, and its size."""
    found = {}
    for path in (path for place in places for path in _files(place)):
        try:
            if path.suffix in _READ:
                facts = path.stat()
                found[path] = facts.st_mtime_ns, facts.st_size
        except OSError:
            continue  # it is gone since
    return found


def _files(place: Path) -> Iterator[Path]:
    """A file, or those of a folder: what goes while they are walked through is no error."""
    yield place
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names)
