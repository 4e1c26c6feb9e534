"""Reads tables of labels from .csv files."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from autobeta.data._core.labels import parsed
from autobeta.data._files.reading import reading, shown

_FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "name")


Columns = dict[str, Sequence[Any]]


def columns_for(table: Path, names: Sequence[str]) -> tuple[Columns, list[str]] | None:
    """Columns of a table in the order of files, that of the files' names left out; rows unused.

    A row belongs to a file that it names by its path below the folder, or else by its name alone,
    with its ending or without, where only one file has it. Columns are separated by commas,
    semicolons or tabs. None if no row belongs to a file; rows for some only are refused.
    """
    with reading(table, "table with a row for each image", "Correct the table."):
        text = table.read_text("utf-8-sig", errors="surrogateescape")
        separator = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header, *rows = [row for row in reader if row] or [[]]
        if not rows or any(len(row) != len(header) for row in rows):
            raise ValueError("rows of different lengths, or none")
        at = next((header.index(name) for name in _FILE_COLUMNS if name in header), 0)
        by_name = {shown(row[at]): row for row in rows}
        if len(by_name) != len(rows) or len(set(header)) != len(header):
            raise ValueError("some file or column twice")
        files = Counter(key for name in names for key in _keys(name))
        found = [
            [by_name[key] for key in _keys(n) if key in by_name and files[key] == 1] for n in names
        ]
        missing = [name for name, fitting in zip(names, found, strict=True) if not fitting]
        if len(missing) == len(names):
            return None
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise ValueError(f"none for {', '.join(missing[:3])}{more}")
        used = [fitting[0] for fitting in found]
        known = {id(row) for row in used}
        left = [name for name, row in by_name.items() if id(row) not in known]
        columns = zip(*used, strict=True)
        named = zip(map(shown, header), columns, strict=True)
        return {n: parsed(texts) for k, (n, texts) in enumerate(named) if k != at}, left


def _keys(name: str) -> dict[str, None]:
    """What a row may call a file, the surest first."""
    path = PurePosixPath(name)
    return dict.fromkeys([name, path.name, path.with_suffix("").as_posix(), path.stem])
