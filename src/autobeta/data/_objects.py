"""Data sets from objects in memory: arrays, and torch Datasets."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from autobeta.data._core.dataset import DataOptions, FactorDataset, Images, held_out
from autobeta.data._core.labels import Labels, labels_of
from autobeta.data._core.pixels import Pixels, fit, fit_all, of_one_size, pixels_of
from autobeta.data._core.prepare import check_options, rows_of
from autobeta.data._core.sources import from_array
from autobeta.data._files.arrays import check_images, grey_levels
from autobeta.data._files.stored import held


def dataset_of(data: object, options: DataOptions) -> FactorDataset:
    """The data set of an array or a torch Dataset; `autobeta.data.as_dataset` has the rules."""
    if np.ma.is_masked(data):
        raise ValueError(
            "`data` must have no masked pixels. Give data.filled(0), or another value."
        )
    if isinstance(data, np.ndarray):
        images = held(data)
        check_images(images)
        check_options(None, "an array", options)
        channels = options.channels or (data.shape[3] if data.ndim == 4 else 1)
        parts = [fit_all(part, options.image_size, channels) for part in grey_levels(images)]
        return _dataset("array", "an array", np.concatenate(parts), Labels(), options)
    name = f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")
    sized = hasattr(data, "__len__") and not isinstance(data, torch.utils.data.IterableDataset)
    if isinstance(data, torch.utils.data.Dataset) and sized:
        check_options(None, name, options)
        pixels, labels = _items(data, options, white=1)
        if pixels.max(initial=0) <= 1:  # black and white as 0 and 1
            pixels, labels = _items(data, options, white=255)
        return _dataset(type(data).__name__, name, pixels, labels, options)
    hint = "Collect its images in an array."
    if isinstance(data, torch.Tensor):
        hint = "Give a tensor with channels first as tensor.permute(0, 2, 3, 1).numpy()."
    raise TypeError(
        "`data` must be the name of a data set, a path, a FactorDataset, a NumPy array of images, "
        f"or a torch Dataset with a length; got {name}. {hint}"
    )


def _dataset(
    name: str, source: str, images: Images, labels: Labels, options: DataOptions
) -> FactorDataset:
    return FactorDataset(
        name=name,
        source=f"{len(images)} images of {source}",
        num_images=len(images),
        image_shape=images.shape[1:],
        images=from_array(images),
        factor_space=labels.space,
        factor_values=None if labels.table is None else rows_of(labels.table),
        splits=held_out(len(images), options),
    )


def _items(data: Any, options: DataOptions, *, white: int) -> tuple[Images, Labels]:  # noqa: ANN401
    """Images and labels of all items, in one pass; a 1 becomes `white`."""
    size, rows, pictures = options.image_size, [], False

    def read() -> Iterator[tuple[str, Pixels]]:
        nonlocal pictures
        for i in range(len(data)):
            item = data[i]
            image, *labels = item if isinstance(item, tuple | list) else (item,)
            kept = [label for label in labels if getattr(label, "ndim", 0) < 2]
            pictures |= len(kept) < len(labels)
            rows.append(_flat(kept))
            yield f"item {i} of `data`", _pixels(image, i, white)

    images = [fit(p, size, options.channels or p.shape[2]) for p in of_one_size(read(), size)]
    if not images:
        raise ValueError("`data` must have at least one image; got none. Add images.")
    if pictures:
        what = "masks and other images of `data` are not used as factors."
        warnings.warn(what, stacklevel=4)
    channels = max(image.shape[2] for image in images)
    return np.stack([fit(image, size, channels) for image in images]), _labels(rows)


def _pixels(image: object, i: int, white: int) -> Pixels:
    from PIL import Image

    if isinstance(image, Image.Image):
        try:
            return pixels_of(image)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"item {i} of `data` must be a readable image; got {error}."
            ) from error
    if isinstance(image, torch.Tensor):
        half = image.dtype == torch.bfloat16  # NumPy has none
        array = (image.float() if half else image).detach().cpu().numpy()
        if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[0] not in (1, 3)):
            last = array.ndim == 3 and array.shape[2] in (1, 3)
            advice = "image.permute(2, 0, 1)" if last else "image[:3]"
            raise ValueError(
                f"item {i} of `data` must be a tensor (1 or 3, height, width); got "
                f"{tuple(array.shape)}. Give {advice}."
            )
        image = array if array.ndim == 2 else array.transpose(1, 2, 0)
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"item {i} of `data` must be an image, or a tuple that begins with one; got "
            f"{type(image).__qualname__}. Give a Pillow image, a tensor or an array."
        )
    stored = held(image[None])
    check_images(stored)
    [part] = grey_levels(stored, white=white, first=i)
    return part[0]


def _flat(labels: list[Any]) -> tuple[Any, ...]:
    plain = [label.tolist() if hasattr(label, "tolist") else label for label in labels]
    return tuple(v for p in plain for v in (p if isinstance(p, tuple | list) else [p]))


def _labels(rows: list[tuple[Any, ...]]) -> Labels:
    """Factors of all items; none, with a warning, where they are no factor values."""
    names = ["label"] if len(rows[0]) == 1 else [f"factor_{k}" for k in range(len(rows[0]))]
    if other := next((i for i, row in enumerate(rows) if len(row) != len(names)), None):
        raise ValueError(
            f"items of `data` must have equally many labels; got {len(names)} with item 0 and "
            f"{len(rows[other])} with item {other}. Leave labels out that not all items have."
        )
    try:
        return labels_of(dict(zip(names, zip(*rows, strict=True), strict=True)))
    except ValueError as error:
        warnings.warn(f"labels of `data` are not used as factors: {error}", stacklevel=5)
        return Labels()
