"""Your own images: every png, jpg, jpeg, webp and bmp file in a folder and the folders in it.

Images are taken in the order of their paths. The shorter side is scaled to `image_size` with
anti-aliasing and the centre square is cut out. All become grey if every image is grey, else all
become RGB; `channels` overrides it. Files and folders whose name begins with a dot are left out.
The images are converted once, into the cache folder, and again when a file of them changes.

Options read: `path` (the folder), `image_size` (32, 64, 128), `channels` (1, 3),
`test_fraction`, `split_seed`.
"""

from pathlib import Path

from autobeta.data._cache import Report, fingerprint, write_array
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    check_options,
    held_out,
)
from autobeta.data._pixels import decode, fit, is_grey
from autobeta.data._sources import from_array, open_map
from autobeta.errors import MissingDataError

SOURCE = "A folder of your own images."
LICENSE = "Yours"
CITATION = ""
FACTORS = {}  # type: dict[str, int]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open a folder of images, with a part held out at random.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If `path` is no folder.
        ValueError: If `path` is left out, has no images or an unreadable one, or an option can't
            be honoured.
    """
    images = open_map(prepare(root, options))
    return FactorDataset(
        name="folder",
        source=f"{len(images)} images of the folder {_folder(options).resolve().name}",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        splits=held_out(len(images), options),
    )


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Convert the images if that is not done or a file has changed; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: If `path` is no folder.
        ValueError: As for `load`.
    """
    check_options("folder", options)
    folder = _folder(options)
    files = _image_files(folder)
    if not files:
        raise ValueError(
            f"`path` must have an image ({', '.join(SUFFIXES)}); got none below `{folder}`. "
            "Convert other formats to PNG."
        )
    size = options.image_size
    key = fingerprint(files, size, options.channels)
    cache = root / "folder" / f"{folder.resolve().name}-{key}.npy"
    if not cache.exists():
        channels = options.channels or (1 if all(map(is_grey, files)) else 3)
        chunks = (fit(decode(file), size, channels)[None] for file in files)
        write_array(cache, (len(files), size, size, channels), chunks, progress=progress)
    return cache


def _folder(options: DataOptions) -> Path:
    if options.path is None:
        raise ValueError("`path` must be a folder of images; got None. Give the folder.")
    if not options.path.is_dir():
        raise MissingDataError(
            f"`path` must be a folder of images; found none at `{options.path}`. "
            "Give a folder that exists."
        )
    return options.path


def _image_files(folder: Path) -> list[Path]:
    def wanted(file: Path) -> bool:
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        return file.suffix.lower() in SUFFIXES and not hidden and file.is_file()

    return sorted(filter(wanted, folder.rglob("*")), key=Path.as_posix)
