"""A user's own arrays of images, from any container: found, checked and brought to 8 bits."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.data._core.dataset import Images
from autobeta.data._core.labels import Labels, labels_of
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.reading import shown
from autobeta.data._files.stored import StoredArray

CHUNK = 1 << 24  # bytes, about, that are read at once
LARGEST = 1 << 28  # bytes of one image

_ONLY = "`images` must be uint8 0..255, bool, or floats in [0, 1]"
_TO_UNIT = (
    "images = images.astype(float); "
    "images = (images - images.min()) / (images.max() - images.min())"
)

Arrays = Mapping[str, StoredArray]


def convert_arrays(path: Path, arrays: Arrays) -> Conversion:
    """Images of a file of arrays, and its factors if it has them."""
    name = _image_name(arrays, path)
    images = arrays[name]
    check_images(images)
    read, labels = _labels(arrays, images.shape[0])
    left = [f"{key} {a.shape}" for key, a in sorted(arrays.items()) if key not in {name, *read}]
    note = f"{shown(path.name)}: not read: {', '.join(left)}; name factors `factors`."
    return Conversion(
        num_images=images.shape[0],
        images=grey_levels(images),
        channels=images.shape[3] if len(images.shape) == 4 else 1,
        source=f"{images.shape[0]} images of the file {shown(path.name)}",
        space=labels.space,
        factors=labels.table,
        notes=(note,) if left else (),
    )


def check_images(images: StoredArray) -> None:
    """Refuse an array whose shape or type is not that of images; the message says what to do."""
    shape, dtype = images.shape, images.dtype
    narrow = len(shape) == 3 and shape[2] <= 4
    channels = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or 0 in shape or narrow or channels not in (1, 3):
        raise ValueError(
            "`images` must have shape (N, height, width) or (N, height, width, 1 or 3); got "
            f"{shape}. {_shape_advice(shape)}"
        )
    if math.prod(shape[1:]) * dtype.itemsize > LARGEST:
        raise ValueError(
            f"`images` must have at most {LARGEST:,} bytes each; got {shape[1:]} of {dtype}. "
            "Scale them down."
        )
    if dtype not in (np.uint8, np.bool_) and dtype.kind != "f":
        raise ValueError(f"{_ONLY}; got {dtype}. {_type_advice(images)}")


def grey_levels(
    images: StoredArray, *, white: int | None = None, first: int = 0
) -> Iterator[Images]:
    """Parts of an array of images as uint8; of floats, rounded to 256 levels.

    `white` is what a 1 of uint8 becomes: left out, 255 where nothing is above 1, and else 1.
    `first` is the position of the first image, for messages.
    """
    if images.dtype == np.bool_:
        white = 255
    elif images.dtype == np.uint8 and white is None:
        white = 255 if all(part.max() <= 1 for part in _parts(images)) else 1
    for part in _parts(images):
        part = part if part.ndim == 4 else part[..., None]
        if images.dtype.kind == "f":
            _check_range(part, first)
            yield np.rint(part * 255).astype(np.uint8)
        else:
            yield part if white == 1 else part.astype(np.uint8) * np.uint8(white or 1)
        first += len(part)


def _parts(images: StoredArray) -> Iterator[np.ndarray]:
    return images.chunks(max(1, CHUNK // (math.prod(images.shape[1:]) * images.dtype.itemsize)))


def _image_name(arrays: Arrays, path: Path) -> str:
    plain = {name: a for name, a in arrays.items() if not a.dtype.hasobject}
    candidates = [name for name, a in plain.items() if len(a.shape) in (3, 4)]
    if "images" in arrays or len(candidates) == 1:
        return "images" if "images" in arrays else candidates[0]
    if list(arrays) == [""]:  # an .npy file
        check_images(arrays[""])
    found = ", ".join(f"{name} {a.shape}" for name, a in sorted(arrays.items()))
    raise ValueError(
        f"`{shown(path)}` must hold an array 'images', or one array of three or four axes; got "
        f"{found or 'none'}. Name the images 'images'."
    )


def _shape_advice(shape: tuple[int, ...]) -> str:
    if 0 in shape:
        return "Give at least one image."
    if len(shape) == 3 and shape[2] <= 4:
        return "Of one image, give images[None]."
    if len(shape) != 4:
        return "Put one image in each row."
    if shape[3] == 4:
        return "These are four channels; drop alpha with images[..., :3]."
    if shape[1] in (1, 3):
        return "Move channels last with images.transpose(0, 2, 3, 1)."
    if shape[1] == 4:
        return "Move channels last and drop alpha with images[:, :3].transpose(0, 2, 3, 1)."
    return f"These are {shape[3]} channels; take one with images[..., :1]."


def _type_advice(images: StoredArray) -> str:
    if images.dtype.kind not in "iu":
        return "Save real numbers."
    ends = [(part.min(), part.max()) for part in _parts(images)]
    if min(low for low, _ in ends) >= 0 and max(high for _, high in ends) <= 255:
        return "All are in 0..255: save images.astype(numpy.uint8)."
    if images.dtype == np.uint16:
        return "Divide by 257 first: (images // 257).astype(numpy.uint8)."
    return f"Bring them to [0, 1]: {_TO_UNIT}."


def _check_range(part: np.ndarray, first: int) -> None:
    inside = (part >= 0) & (part <= 1)  # false for NaN
    if not inside.all():
        row = np.flatnonzero(~inside.reshape(len(part), -1).all(axis=1))[0]
        value = part[row][~inside[row]][0]
        advice = f"Bring them to [0, 1]: {_TO_UNIT}, or images / 255 if they end there."
        if not np.isfinite(value):
            advice = (
                "Replace what is not finite, as with numpy.nan_to_num(images, posinf=1, neginf=0)."
            )
        raise ValueError(f"{_ONLY}; got {value} in image {first + row}. {advice}")


def _labels(arrays: Arrays, num_images: int) -> tuple[set[str], Labels]:
    name = next((key for key in ("factors", "latents_classes") if key in arrays), None)
    if name is None:
        return set(), Labels()
    stored = arrays[name]
    if len(stored.shape) not in (1, 2) or stored.shape[0] != num_images or 0 in stored.shape:
        raise ValueError(
            f"`{name}` must have shape ({num_images}, num_factors) or ({num_images},); got "
            f"{stored.shape}. Give one row for each image."
        )
    table = stored.read().reshape(num_images, -1)
    names: list[Any] = [f"factor_{k}" for k in range(table.shape[1])]
    if "factor_names" in arrays:
        shape = arrays["factor_names"].shape
        if shape not in ((table.shape[1],), ()) or (shape == () and table.shape[1] != 1):
            got = f"{shape[0]} names" if len(shape) == 1 else f"the shape {shape}"
            raise ValueError(
                f"`factor_names` must name {table.shape[1]} factors; got {got}. "
                "Give one for each column of `factors`."
            )
        names = np.atleast_1d(arrays["factor_names"].read()).tolist()
        names = [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names]
    if len(set(names)) != len(names):
        raise ValueError(f"`factor_names` must be all different; got {names}. Rename one.")
    columns = dict(zip(names, table.T, strict=True))
    return {name, "factor_names"}, labels_of(columns)
