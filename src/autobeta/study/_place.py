"""Where in a study file something stands, so that an error can name the line."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PART = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_NAME = rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*"
_HEADER = re.compile(rf"\s*\[\[?{_NAME}\]\]?\s*(?:#|$)")
_KEY = re.compile(rf"{_NAME}=")


class StudyFileError(ValueError):
    """Something in a definition is refused; each of `places` are keys that may lead to it."""

    def __init__(self, message: str, *places: Sequence[str]) -> None:
        super().__init__(message)
        self.places = places


@contextmanager
def located(path: Path | None, given: Collection[str] = ()) -> Iterator[None]:
    """Name the file and the line in errors about what stands in a study file.

    Args:
        path: The file; None if the study is from elsewhere.
        given: Dotted keys that are not the file's, such as `train.steps` of the command line.

    Raises:
        ValueError: In place of a `StudyFileError`.
    """
    try:
        yield
    except StudyFileError as error:
        if path is None or any(".".join(place) in given for place in error.places):
            raise
        line = line_of(path.read_text("utf-8-sig"), error.places)
        where = f"{path}, line {line}" if line else str(path)
        raise ValueError(f"{where}: {error}") from error


def line_of(text: str, places: Sequence[Sequence[str]]) -> int | None:
    """The line of a study file where a key stands, or that of the table which holds it."""
    table: list[str] = []
    found: dict[tuple[bool, int], int] = {}  # whether it is the key itself, how deep; the line
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            whole = table = _parts(header[1])
        elif key := _KEY.match(line):
            whole = [*table, *_parts(key[1])]
        else:
            continue
        for place in places:
            if all(a in (b, "*") for a, b in zip(place, whole, strict=False)):
                depth = len(whole) if len(whole) <= len(place) else 0
                found.setdefault((depth == len(place), depth), number)
    return found[max(found)] if found else None


def _parts(name: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, name)]
