"""Compares a data set's images with a file of known ones, or with a fresh rendering."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autobeta.data._core.dataset import FactorDataset, Images, Index
from autobeta.data._files.arrays import grey_levels
from autobeta.data._files.stored import StoredArray, open_arrays
from autobeta.errors import MissingDataError

_CHUNK = 1024


@dataclass(frozen=True)
class VerifyResult:
    """Outcome of a comparison: images, those the same in every pixel, and pixels that differ.

    Example:
        >>> print(VerifyResult(20_000, 19_997, 3))
        19997 of 20000 images identical, 3 pixels differ
    """

    num_images: int
    num_identical: int
    num_pixels_different: int

    def __str__(self) -> str:
        return (
            f"{self.num_identical} of {self.num_images} images identical, "
            f"{self.num_pixels_different} pixels differ"
        )


def verify(dataset: FactorDataset, against: Path) -> VerifyResult:
    """Compare with the images of an .npz file, in the manner of the dSprites file.

    It must hold `imgs`, shape (num_images, height, width) or with channels, uint8 of 0 and 1 or
    of 0..255, and where each image is in the full set: `original_dataset_indices`, or else
    `latents_classes`, one column per factor, before them at most a constant one (colour).
    No such file is a MissingDataError; one with other arrays, a ValueError.
    """
    if not against.is_file():
        raise MissingDataError(f"`against` must be an .npz file; found none at `{against}`.")
    arrays = open_arrays(against)
    if "imgs" not in arrays:
        raise ValueError(f"`{against}` must hold an array 'imgs'; got {sorted(arrays)}.")
    images = arrays["imgs"]
    shape = dataset.image_shape
    if images.shape[1:] not in (shape, shape[:2]) or images.dtype != np.uint8:
        raise ValueError(
            f"'imgs' of `{against}` must be uint8 of shape (N, {shape[0]}, {shape[1]}) like "
            f"{dataset.name}; got {images.dtype} of {images.shape}."
        )
    index = _positions(dataset, arrays, against)
    if len(index) != images.shape[0]:
        raise ValueError(
            f"`{against}` must say where each image is; got {len(index)} positions for "
            f"{images.shape[0]} images."
        )
    return _compare(dataset, index, grey_levels(images))


def check(dataset: FactorDataset, *, num_images: int = 2000, seed: int = 0) -> VerifyResult:
    """Compare a random sample of the prepared images with a fresh rendering.

    A data set that autobeta can't render is a ValueError.
    """
    if dataset.render is None:
        raise ValueError(
            f"`dataset` must be one that autobeta can render; got {dataset.name}. "
            "Compare it with a file of known images, by --against FILE."
        )
    size = min(num_images, len(dataset))
    index = np.sort(np.random.default_rng(seed).choice(len(dataset), size, replace=False))
    parts = np.array_split(index, size // _CHUNK + 1)
    return _compare(dataset, index, map(dataset.render, parts))


def _positions(dataset: FactorDataset, arrays: dict[str, StoredArray], against: Path) -> Index:
    if "original_dataset_indices" in arrays:
        return arrays["original_dataset_indices"].read().astype(np.int64)
    if "latents_classes" in arrays and dataset.factor_space is not None:
        classes = arrays["latents_classes"].read().astype(np.int64)
        return dataset.factor_space.index(classes[:, -dataset.factor_space.num_factors :])
    raise ValueError(
        f"`{against}` must hold 'original_dataset_indices' or 'latents_classes'; "
        f"got {sorted(arrays)}. Without them its images can't be placed in {dataset.name}."
    )


def _compare(dataset: FactorDataset, index: Index, known: Iterator[Images]) -> VerifyResult:
    identical = different = done = 0
    for images in known:
        part, done = index[done : done + len(images)], done + len(images)
        pixels = (dataset.images(part) != images).any(axis=3).sum(axis=(1, 2))
        identical += int((pixels == 0).sum())
        different += int(pixels.sum())
    return VerifyResult(len(index), identical, different)
