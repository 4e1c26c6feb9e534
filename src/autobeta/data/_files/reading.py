"""Files may be damaged or hostile: whatever a parser raises on them becomes one kind of error."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autobeta.errors import MissingDataError

LARGE = 1 << 30  # bytes below which nothing is taken for a bomb
_RATIO = 500  # times that a file may grow; 111 is the most of any published set


@contextmanager
def reading(
    path: Path | str, kind: str, way_out: str = "Fetch or save it again."
) -> Iterator[None]:
    """Turn what the body raises into a ValueError that names the file.

    `kind` says what it must be, after the word "a"; `way_out` what to do if it is not.
    """
    try:
        yield
    except MissingDataError:
        raise
    except Exception as error:  # parsers raise anything on bytes they were not made for
        said = repr(error) if isinstance(error, LookupError) else str(error).rstrip(".")
        raise ValueError(
            f"`{shown(path)}` must be a {kind}; got {said or repr(error)}. {way_out}"
        ) from error


def shown(path: Path | str) -> str:
    r"""A path as text that can be printed and stored; bytes that are not UTF-8 become \x...

    Example:
        >>> shown(os.fsdecode(b"caf\xe9.png"))
        'caf\\xe9.png'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_unpacked(stored: int, unpacked: int) -> None:
    """Refuse data that would fill a disk from a file of next to nothing."""
    if unpacked > max(LARGE, _RATIO * stored):
        raise ValueError(
            f"{stored:,} bytes that unpack to {unpacked:,}, as only empty images do; if they are "
            "yours, save them uncompressed"
        )
