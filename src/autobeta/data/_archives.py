"""Reads files out of folders and .zip and .tar archives, without unpacking anything to disk.

Nothing is ever written under a name that an archive gives, so such names can do no harm. Links and
devices are not followed. A member is refused before it is read if it claims more bytes than any
file of a data set has, and cut off if it turns out to have more than it claims.
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobeta.errors import MissingDataError

LARGEST = 1 << 28  # bytes of one member; the largest known is a .mat of Cars3D, 5 MB

Opener = Callable[[str], tuple[Any, int]]

_DAMAGED = (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True)
class Archive:
    """Files by name.

    Args:
        place: The folder or archive, named in messages.
        names: Names of its files, with "/" between folders, in the order in which they are read
            fastest.
        opened: Opens it, and gives a function that opens one file by name and says how many
            bytes it claims.
    """

    place: Path
    names: tuple[str, ...]
    opened: Callable[[], AbstractContextManager[Opener]]

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            ValueError: If it is damaged, too large, or not as large as it claims.
        """
        [(_, data)] = self.read_all([name])
        return data

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of several files, in the order given; errors as for `read`."""
        with self.opened() as open_member:
            for name in names:
                yield name, self._read(name, open_member)

    def _read(self, name: str, open_member: Opener) -> bytes:
        try:
            stream, size = open_member(name)
            with stream:
                if size > LARGEST:
                    raise ValueError(f"it claims {size:,} bytes, more than {LARGEST:,}")
                data = stream.read(size + 1)
        except (ValueError, *_DAMAGED) as error:
            raise ValueError(
                f"`{name}` in `{self.place}` must be a whole file; got {error}. Fetch it again."
            ) from error
        if len(data) != size:
            raise ValueError(
                f"`{name}` in `{self.place}` must have the {size:,} bytes that it claims; got "
                f"{'more' if len(data) > size else f'{len(data):,}'}. Fetch it again."
            )
        return bytes(data)


def open_archive(place: Path) -> Archive:
    """A folder, a .zip, or a .tar with or without compression.

    Raises:
        MissingDataError: If there is nothing there.
        ValueError: If it is none of these, or damaged.
    """
    if not place.exists():
        raise MissingDataError(f"`path` must be an archive or a folder; found no `{place}`.")
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file())
        names = tuple(path.relative_to(place).as_posix() for path in files)
        return Archive(place, names, lambda: nullcontext(lambda name: _open_file(place / name)))
    try:
        if zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                names = tuple(info.filename for info in archive.infolist() if not info.is_dir())
            return Archive(place, names, lambda: _zip(place))
        with tarfile.open(place) as archive:
            members = {member.name: member for member in archive if member.isreg()}
        return Archive(place, tuple(members), lambda: _tar(place, members))
    except _DAMAGED as error:
        raise ValueError(
            f"`{place}` must be a whole .zip or .tar archive, or a folder; got {error}."
        ) from error


def read_unzipped(path: Path) -> bytes:
    """Bytes of a file, unzipped if its name ends in .gz.

    Raises:
        ValueError: If it is no whole gzip file.
    """
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"`{path}` must be a whole gzip file; got {error}. Fetch it.") from error


def _open_file(path: Path) -> tuple[Any, int]:
    return path.open("rb"), path.stat().st_size


@contextmanager
def _zip(place: Path) -> Iterator[Opener]:
    with zipfile.ZipFile(place) as archive:
        yield lambda name: (archive.open(name), archive.getinfo(name).file_size)


@contextmanager
def _tar(place: Path, members: dict[str, tarfile.TarInfo]) -> Iterator[Opener]:
    with tarfile.open(place) as archive:

        def open_member(name: str) -> tuple[Any, int]:
            stream = archive.extractfile(members[name])
            assert stream is not None  # regular files have one
            return stream, members[name].size

        yield open_member
