"""Published files: what they should be, how they are fetched and checked."""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from autobeta.data._core.cache import writing_in, written_whole
from autobeta.data._files.reading import shown
from autobeta.errors import MissingDataError


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """One published file of a data set.

    `url` is "" where it can't be fetched without a browser; `checksum`, "sha256:..." or "md5:...",
    is "" and `size`, in bytes, 0 where none is known.
    """

    name: str
    url: str = ""
    checksum: str = ""
    size: int = 0


def fetch(folder: Path, files: Iterable[OfficialFile], by_hand: str = "") -> None:
    """Download files into a folder, checked against what was published; whole or not at all."""
    for file in files:
        if (folder / file.name).exists():
            continue
        where = file.url or f"{file.name} from {by_hand}"
        way_out = f"Fetch {where} by hand and place it in `{shown(folder)}`."
        if not file.url:
            raise MissingDataError(f"{file.name} can't be downloaded by a program. {way_out}")
        try:
            with writing_in(folder), written_whole(folder / file.name) as beside:
                _retrieve(beside, file)
                check_file(beside, file)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            raise MissingDataError(
                f"{file.name} could not be downloaded from {file.url}: {error}. {way_out}"
            ) from error


def _retrieve(path: Path, file: OfficialFile) -> None:
    import pooch

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        downloader = pooch.HTTPDownloader(progressbar=_Bar(bar, file), timeout=30)
        downloader(file.url, str(path), None)


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


def check_file(path: Path, file: OfficialFile) -> None:
    """Compare a file's size and checksum with what was published."""
    way_out = "Fetch it again, or take it as it is with --unofficial."
    if file.size and path.stat().st_size != file.size:
        raise ValueError(
            f"`{shown(path)}` must have {file.size:,} bytes as published; got "
            f"{path.stat().st_size:,}. {way_out}"
        )
    if not file.checksum:
        return
    kind, _, expected = file.checksum.partition(":")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, kind).hexdigest()
    if digest != expected:
        raise ValueError(
            f"`{shown(path)}` must have the published {kind} {expected}; got {digest}. {way_out}"
        )
