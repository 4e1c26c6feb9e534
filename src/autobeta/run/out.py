"""Files that a user asks for: where they may be written, and through what."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from autobeta.run import folder as files
from autobeta.run.formats import write_together


def write_out(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file where the user wants it, through a symbolic link, into a device or a FIFO.

    Within a run's folder, which may come from somebody else, no link is followed: one in the place
    of the file is replaced.

    Raises:
        ValueError: If there is a folder, or a file of a run, or a link leads there.
    """
    place = path.resolve()
    if place.is_dir() or _is_kept(place):
        what = "folder" if place.is_dir() else "run's own file"
        raise ValueError(f"`out` must be a file of its own; got the {what} {path}. Name another.")
    if (run := _run_above(path)) is not None:
        inside = [above for above in path.absolute().parents if run in above.parents]
        if (link := next(filter(Path.is_symlink, inside), None)) is not None:
            raise ValueError(
                f"`out` must not lie behind a link in the folder of a run; got {link}. Remove it, "
                "or name another place."
            )
        place = path
    buffer = BytesIO()
    write(buffer)
    if place.exists() and not place.is_file() and not place.is_symlink():
        place.write_bytes(buffer.getvalue())
    else:
        write_together({place: buffer.getvalue()})


def spreadsheet_cell(cell: Any) -> Any:  # noqa: ANN401
    """A cell of a CSV; a text that a spreadsheet would take for a formula is quoted for it.

    Example:
        >>> spreadsheet_cell("=1+1"), spreadsheet_cell("vae"), spreadsheet_cell(-1.5)
        ("'=1+1", 'vae', -1.5)
    """
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return "" if cell != cell else cell  # NaN: none


def _run_above(path: Path) -> Path | None:
    """The folder of the run that a path lies in, as it is written."""
    kept = (files.CONFIG, files.ENVIRONMENT)
    for above in path.absolute().parents:
        if all((above / name).exists() for name in kept):
            return above
    return None


def _is_kept(path: Path) -> bool:
    """Whether a file belongs to a run or a study, which keeps a run's files beside its folder."""
    part = (path.parent.parent / files.CONFIG).exists() and path.parent.name
    of_part = part == files.CHECKPOINT or (part == files.BEST and path.name in files.OURS)
    of_run = path.name in (*files.OURS, files.LOCK) and (path.parent / files.CONFIG).exists()
    beside = path.suffix in (".json", ".log") and (path.with_suffix("") / files.CONFIG).exists()
    return of_part or of_run or beside or path.name == files.STUDY
