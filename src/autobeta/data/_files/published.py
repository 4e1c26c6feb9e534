"""Published files: found in a folder, or what was last made of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autobeta.data._files.download import OfficialFile, check_file
from autobeta.data._files.reading import shown
from autobeta.errors import MissingDataError
from autobeta.settings import DataOptions

_ARCHIVES = (".zip", ".tar", ".tar.gz")


@dataclass(frozen=True)
class Found:
    """The published files of a data set, on this machine."""

    paths: list[Path]
    files: list[OfficialFile]

    def convert(self, module: ModuleType, options: DataOptions) -> Any:  # noqa: ANN401
        """The module's conversion, after the files were compared with what was published."""
        for path, file in zip(self.paths, self.files, strict=True):
            # an unpacked form can't be compared
            if path.suffix == Path(file.name).suffix and not options.unofficial:
                check_file(path, file)
        return module.convert(self.paths, options)


def official_files(module: ModuleType, options: DataOptions) -> list[OfficialFile]:
    """The published files of a data set: its `FILES`, of several variants the one asked for."""
    base, published = getattr(module, "URL", ""), getattr(module, "FILES", {})
    by_hand = getattr(module, "NO_ADDRESS", ()) if base else published
    urls = {name: f"{base}{name}" for name in published if name not in by_hand}
    files = [
        OfficialFile(name=name, url=urls.get(name, ""), checksum=checksum, size=size)
        for name, (checksum, size) in published.items()
    ]
    if variants := getattr(module, "VARIANTS", None):
        return [files[variants.index(options.variant or variants[0])]]
    return files


def find_files(module: ModuleType, name: str, options: DataOptions, folder: Path) -> Found | None:
    """The published files in `options.path`, or in the data set's cache folder.

    None if there is none and `path` was not given; one that lacks some is refused.
    """
    files = official_files(module, options)
    given = options.path and options.path.expanduser()
    if not files:
        return None
    if given is not None and given.is_file() and len(files) == 1:
        return Found([given], files)
    place = given or folder
    found = [_look(place, file.name) for file in files]
    missing = [file.name for file, path in zip(files, found, strict=True) if path is None]
    if not missing:
        return Found([path for path in found if path is not None], files)
    if given is None and len(missing) == len(files):
        return None
    if given is not None and given.is_dir() and len(files) == 1 and _is_archive(files[0].name):
        return Found([given], files)
    there = f"found no {', '.join(missing)} in `{shown(place)}`"
    if not place.is_dir():
        there = f"found no file or folder at `{shown(place)}`"
    raise MissingDataError(
        f"`path` must have {', '.join(file.name for file in files)}; {there}. "
        f"{how_to_get(module, name, options, folder)}"
    )


def cache_stem(module: ModuleType, options: DataOptions) -> str:
    """What the name of a cache file says about the options, before the key of the files."""
    variant = options.variant or next(iter(getattr(module, "VARIANTS", ())), None)
    parts = [variant, options.image_size or "own", options.channels]
    parts += ["unofficial"] if options.unofficial else []
    return "-".join(str(part) for part in parts if part is not None)


def how_to_get(module: ModuleType, name: str, options: DataOptions, folder: Path) -> str:
    """What to fetch and where to put it, in sentences."""
    files, by_hand = official_files(module, options), getattr(module, "BY_HAND", "")
    places = [file.url or file.name for file in files]
    whole = all(file.url for file in files)
    where = f" from {by_hand}" if by_hand and not whole else ""
    fetched = f"Run `autobeta data prepare {name} --download`, or fetch" if whole else "Fetch"
    instead = " Or leave `path` out to have the images rendered." * hasattr(module, "render")
    return (
        f"{fetched} {', '.join(places)}{where} and place it in `{shown(folder)}`, or run "
        f"`autobeta data prepare {name} --from FILE_OR_FOLDER`.{instead}"
    )


def newest(folder: Path, stem: str) -> Path | None:
    """The cache file last made of published files under a name; None if there is none."""
    digits = "[0-9a-f]" * 12
    kept = [f for f in folder.glob(f"{stem}-{digits}.npy") if f.with_suffix(".npz").exists()]
    return max(kept, key=lambda file: file.stat().st_mtime, default=None)


def _look(place: Path, name: str) -> Path | None:
    """A file of that name, or another form of it, in a folder or below it."""
    for form in _forms(name):
        if (place / form).is_file():
            return place / form
    unpacked = place / name.split(".")[0]
    if _is_archive(name):
        return unpacked if unpacked.is_dir() else None
    return next((path for form in _forms(name) for path in sorted(place.rglob(form))), None)


def _forms(name: str) -> Iterable[str]:
    """The name and others of the same file: gzipped or not, a table with commas or without."""
    plain = name.removesuffix(".gz")
    names = [name, plain, plain.replace(".txt", ".csv")]
    return dict.fromkeys([*names, f"{plain}.gz", f"{names[-1]}.gz"])


def _is_archive(name: str) -> bool:
    return name.endswith(_ARCHIVES)
