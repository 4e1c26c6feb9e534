"""Reads files out of folders and .zip and .tar archives, without unpacking anything to disk.

Nothing is ever written under a name that an archive gives, so such names can do no harm. Links and
devices are not followed. A member is refused before it is read if it claims more bytes than any
file of a data set has, and cut off if it turns out to have more than it claims.
"""

import gzip
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobeta.data._files.reading import reading

LARGEST = 1 << 28  # bytes of one member; the largest known is a .mat of Cars3D, 5 MB
LARGEST_TABLE = 1 << 30  # bytes of a gzipped file; the largest known is 448 MB

Opener = Callable[[str], tuple[Any, int]]


@dataclass(frozen=True)
class Archive:
    """Files by name."""

    place: Path
    names: tuple[str, ...]
    opened: Callable[[], AbstractContextManager[Opener]]

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        [(_, data)] = self.read_all([name])
        return data

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of several files, in the order given; errors as for `read`."""
        with self.opened() as open_member:
            for name in names:
                yield name, self._read(name, open_member)

    def _read(self, name: str, open_member: Opener) -> bytes:
        with reading(self.place, f"whole archive or folder, `{name}` included", "Fetch it again."):
            stream, size = open_member(name)
            with stream:
                if size > LARGEST:
                    raise ValueError(f"{size:,} bytes claimed, more than {LARGEST:,}")
                data = bytes(stream.read(size + 1))
            if len(data) != size:
                found = "more" if len(data) > size else f"{len(data):,}"
                raise ValueError(f"{found} in place of the {size:,} bytes that it claims")
            return data


def open_archive(place: Path) -> Archive:
    """A folder, a .zip, or a .tar with or without compression."""
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file())
        names = tuple(path.relative_to(place).as_posix() for path in files)
        return Archive(place, names, lambda: nullcontext(lambda n: _open_file(place / n)))
    with reading(place, "whole .zip or .tar archive, or a folder", "Fetch it again."):
        if zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                names = tuple(info.filename for info in archive.infolist() if not info.is_dir())
            return Archive(place, names, lambda: _zip(place))
        with tarfile.open(place) as archive:
            members = {member.name: member for member in archive if member.isreg()}
        return Archive(place, tuple(members), lambda: _tar(place, members))


def read_unzipped(path: Path) -> bytes:
    """Bytes of a file, unzipped if its name ends in .gz."""
    with reading(path, "whole gzip file", "Fetch it again."):
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            data = file.read(LARGEST_TABLE + 1)
        if len(data) > LARGEST_TABLE:
            raise ValueError(f"more than {LARGEST_TABLE:,} bytes")
        return data


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
