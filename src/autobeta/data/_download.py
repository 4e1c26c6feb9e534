"""Published files: what they should be, how they are fetched and checked."""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from autobeta.errors import MissingDataError

_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """One published file of a data set.

    Args:
        name: Its name.
        url: Where it is published; "" where it can't be fetched without a browser.
        checksum: "sha256:..." or "md5:..." where one is known, else "".
        size: Bytes, where known, else 0.
    """

    name: str
    url: str = ""
    checksum: str = ""
    size: int = 0


def published(files: Mapping[str, tuple[str, str, int]]) -> list[OfficialFile]:
    """The `FILES` of a data set's module: address, checksum and size by name."""
    return [
        OfficialFile(name=name, url=url, checksum=checksum, size=size)
        for name, (url, checksum, size) in files.items()
    ]


def fetch(folder: Path, files: Iterable[OfficialFile], by_hand: str = "") -> None:
    """Download files into a folder, checked against what was published; whole or not at all.

    Args:
        folder: Cache folder of the data set.
        files: What to download; a file that is there is left alone.
        by_hand: Where files without an address are published.

    Raises:
        MissingDataError: If one can't be had; the message says what to fetch by hand.
    """
    for file in files:
        if (folder / file.name).exists():
            continue
        where = file.url or f"{file.name} from {by_hand}"
        way_out = f"Fetch {where} by hand and place it in `{folder}`."
        if not file.url:
            raise MissingDataError(f"{file.name} can't be downloaded by a program. {way_out}")
        try:
            _retrieve(folder, file)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            raise MissingDataError(
                f"{file.name} could not be downloaded from {file.url}: {error}. {way_out}"
            ) from error


def _retrieve(folder: Path, file: OfficialFile) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        downloader = pooch.HTTPDownloader(progressbar=_Bar(bar, file), timeout=30)
        pooch.retrieve(
            file.url,
            known_hash=file.checksum or None,
            fname=file.name,
            path=folder,
            downloader=downloader,
        )


class _Bar:
    """Progress of a download, as pooch reports it: `total`, in bytes, is set once known."""

    def __init__(self, bar: Progress, file: OfficialFile) -> None:
        self._bar = bar
        self._task = bar.add_task(f"Fetching {file.name}", total=file.size or None)
        self.total = file.size

    def update(self, num_bytes: int) -> None:
        self._bar.update(self._task, advance=num_bytes, total=self.total or None)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop_task(self._task)


def check_file(path: Path, file: OfficialFile, *, unofficial: bool = False) -> None:
    """Compare a file's size and checksum with what was published.

    Args:
        path: The file.
        file: What it should be.
        unofficial: Take it as it is.

    Raises:
        ValueError: If it differs.
    """
    if unofficial:
        return
    if file.size and path.stat().st_size != file.size:
        raise ValueError(
            f"`{path}` must have {file.size:,} bytes as published; got {path.stat().st_size:,}. "
            "Fetch it again, or take it as it is with --unofficial."
        )
    if not file.checksum:
        return
    kind, _, expected = file.checksum.partition(":")
    digest = hashlib.new(kind)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise ValueError(
            f"`{path}` must have the published {kind} {expected}; got {digest.hexdigest()}. "
            "Fetch it again, or take it as it is with --unofficial."
        )
