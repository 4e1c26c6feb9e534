"""Brings images of any size and mode to one size, 8 bits, grey or RGB."""

import math
import threading
import warnings
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8
from joblib import Parallel, cpu_count, delayed

from autobeta.data._files.reading import reading, shown

Pixels = UInt8[np.ndarray, "height width channels"]

Key = TypeVar("Key", bound=Hashable)

_ORIENTATION = 0x112  # of EXIF
_TOGETHER = 64  # images that a thread takes at a time
_16_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY = ("1", "L", "LA", "La", *_16_BITS)
WAY_OUT = "Repair, convert or remove it."
_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # drawings, or read by other programs


@cache
def suffixes() -> frozenset[str]:
    """Endings of the image files that can be read, ".png" and the like."""
    from PIL import Image

    kinds = Image.registered_extensions().items()
    return frozenset(suffix for suffix, kind in kinds if kind in _formats())


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NO_PIXELS))


def fit(
    pixels: Pixels, size: int | None, channels: int
) -> UInt8[np.ndarray, "_height _width {channels}"]:
    """Scale the shorter side to `size` and cut out the centre square; grey or RGB by `channels`.

    Without a size, height and width stay. Scaling is bicubic with anti-aliasing (Pillow). Square
    images of the right size keep their pixels. Grey is the luma of ITU-R 601; RGB of a grey image
    repeats it.
    """
    from PIL import Image

    height, width = size or pixels.shape[0], size or pixels.shape[1]
    if pixels.shape == (height, width, channels):
        return pixels
    return _fitted(
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), size, channels
    )


def _fitted(image: Any, size: int | None, channels: int) -> Pixels:  # noqa: ANN401 - PIL's
    from PIL import Image

    width, height = size or image.width, size or image.height
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.array(image).reshape(height, width, channels)


def fit_all(
    images: UInt8[np.ndarray, "images height width channels"], size: int | None, channels: int
) -> UInt8[np.ndarray, "images _height _width {channels}"]:
    """`fit` of each image of an array."""
    if images.shape[1:] == (size or images.shape[1], size or images.shape[2], channels):
        return images
    return np.stack([fit(image, size, channels) for image in images])


def of_one_size(images: Iterable[tuple[str, Pixels]], size: int | None) -> Iterator[Pixels]:
    """Images of a name each; where no `size` is asked for, all must have that of the first."""
    first: tuple[str, Pixels] | None = None
    for name, pixels in images:
        known, other = first = first or (name, pixels)
        if size is None and pixels.shape[:2] != other.shape[:2]:
            raise ValueError(
                "`image_size` must be given for images of several sizes; got None for "
                f"{other.shape[0]} x {other.shape[1]} pixels in {known} and {pixels.shape[0]} x "
                f"{pixels.shape[1]} in {name}. Give the size that all become, such as 64."
            )
        yield pixels


def is_grey(path: Path, data: bytes | None = None) -> bool:
    """Whether an image file is grey, read from its header."""
    with _opened(path, data) as image:
        return image.mode in _GREY


def decode(path: Path, data: bytes | None = None) -> Pixels:
    """Pixels of an image file, upright, grey or RGB; what is transparent becomes white.

    Of an animation it is the first picture. `path` names what `data` are, where these are given.
    """
    with _opened(path, data) as image:
        return pixels_of(image)


def pixels_of(image: Any) -> Pixels:  # noqa: ANN401 - PIL.Image.Image
    """`decode` of an image that Pillow has opened."""
    found = _upright(image)
    return np.array(found).reshape(found.height, found.width, -1)


def _upright(image: Any) -> Any:  # noqa: ANN401 - PIL.Image.Image
    """An opened image, grey or RGB, turned as its file says, on white."""
    from PIL import Image, ImageOps

    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise ValueError(
            f"numbers of 32 bits (mode {image.mode}), which do not say how large white is; save "
            "Image.fromarray((numpy.asarray(image) * (255 / white)).round().astype(numpy.uint8))"
        )
    mode = "L" if image.mode in _GREY else "RGB"
    upright = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION) else image
    if image.mode in _16_BITS:
        return _of_8_bits(upright)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    return upright.convert(mode)


def _of_8_bits(image: Any) -> Any:  # noqa: ANN401 - PIL.Image.Image
    """A grey image of 16 bits in 8, rounded: 0 to 65535 become 0 to 255."""
    from PIL import Image

    values = np.asarray(image)
    clear = values == image.info.get("transparency", -1)
    return Image.fromarray(np.where(clear, 255, np.rint(values / 257)).astype(np.uint8))


@contextmanager
def _opened(path: Path, data: bytes | None = None) -> Iterator[Any]:
    """Open with Pillow; every way in which that or the body fails becomes one ValueError."""
    from PIL import Image

    formats = _formats()
    if data is None and not path.exists():
        raise FileNotFoundError(f"`{shown(path)}` must be an image; found nothing there.")
    # filters are those of all threads, so only the first sets them; see `decoded`
    first = threading.current_thread() is threading.main_thread()
    with (
        reading(path, "readable image", WAY_OUT),
        quiet() if first else nullcontext(),
        Image.open(path if data is None else BytesIO(data), formats=formats) as image,
    ):
        limit = Image.MAX_IMAGE_PIXELS or math.inf
        if image.width * image.height > limit:
            raise ValueError(f"{image.width} x {image.height}, above the limit of {limit} pixels")
        yield image


@contextmanager
def quiet() -> Iterator[None]:
    """No warning of what is odd in a file that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decoded(
    items: Iterable[tuple[Key, Path, bytes | None]],
    size: int | None,
    channels: int,
    *,
    cut: int | None = None,
    jobs: int | None = None,
) -> Iterator[tuple[Key, Pixels | ValueError]]:
    """Images in order, or what is wrong with them; read on all cores, by threads.

    Each item is its key, the file's path, and its bytes if they are not there. They become what
    `fit` makes of them, of the centre of `cut` pixels. Whoever takes them calls `quiet` around it.
    """

    def read(part: list[tuple[Key, Path, bytes | None]]) -> list[tuple[Key, Pixels | ValueError]]:
        found: list[tuple[Key, Pixels | ValueError]] = []
        for key, path, data in part:
            try:
                found.append((key, _finished(path, data, size, channels, cut)))
            except ValueError as error:
                found.append((key, error))
        return found

    def parts() -> Iterator[list[tuple[Key, Path, bytes | None]]]:
        rest = iter(items)
        while part := list(islice(rest, _TOGETHER)):
            yield part

    threads = Parallel(jobs or cpu_count(), prefer="threads", return_as="generator")
    for found in threads(delayed(read)(part) for part in parts()):
        yield from found


def _finished(
    path: Path, data: bytes | None, size: int | None, channels: int, cut: int | None
) -> Pixels:
    with _opened(path, data) as image:
        upright = _upright(image)
    if cut is not None:
        ends = [(max(0, (side - cut) // 2), side) for side in upright.size]
        (left, right), (top, bottom) = ((a, min(a + cut, b)) for a, b in ends)
        upright = upright.crop((left, top, right, bottom))
    return _fitted(upright, size, channels)
