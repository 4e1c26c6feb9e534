"""Tells when files of runs have changed, for a page that is written again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import sleep

_READ = {".json", ".jsonl", ".npz", ".safetensors"}  # ends of the files that a report reads
_DAY = 86_400


def changes(folders: Sequence[Path], *, watch: float) -> Iterator[None]:
    """Gives once, and again whenever a file in some folders is new, gone or changed.

    Args:
        folders: Run folders, or a study's; what is no folder is left out.
        watch: Seconds between two looks.

    Raises:
        ValueError: If `watch` is not positive, or more than a day.
    """
    if not 0 < watch <= _DAY:
        raise ValueError(f"`watch` must be in (0, {_DAY}]; got {watch:g}. Give 10.")
    former = _state(folders)
    yield
    while True:
        sleep(watch)
        if (now := _state(folders)) != former:
            former = now
            yield


def _state(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """When each file changed, and its size."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            if path.suffix in _READ:
                found[path] = path.stat().st_mtime_ns, path.stat().st_size
        except OSError:
            continue  # it is gone since
    return found
