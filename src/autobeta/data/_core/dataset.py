"""FactorDataset: images on demand, with the factors that made them where they are known."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from autobeta.data._core.cache import checksums_of
from autobeta.data._core.factors import FactorSpace, check_index
from autobeta.data._core.tensors import as_batch
from autobeta.errors import TooFewImagesError
from autobeta.settings import DataOptions

Images = UInt8[np.ndarray, "batch height width channels"]
Index = Int[np.ndarray, " batch"]

DEFAULT_OPTIONS = DataOptions()

_SAMPLE = 4096  # images, about, that a fingerprint reads where no checksums are stored


@dataclass(frozen=True, kw_only=True, repr=False)
class FactorDataset(Dataset[Tensor]):
    """A data set of images: the one class that every source fills in.

    `source` says in words where the images come from; a run's config keeps it. `image_shape` is
    (height, width, channels). Functions of indices, shape (batch,), are `images`, uint8 0..255;
    `factor_values`, integers of shape (batch, num_factors); and `render`, which makes the same
    images afresh, to check prepared ones: None where they can only come from files. `splits` are
    indices: "train" always, "test" where some are held out; left out, all images are for training.
    `names` are those of the images' files, where they have some: one for each, else a ValueError.

    As a torch `Dataset`, for a `DataLoader`, it has images as networks take them, no factors.

    Example:
        >>> from autobeta.data import load_data
        >>> dataset = load_data("toy")
        >>> loader = torch.utils.data.DataLoader(dataset, batch_size=16)
        >>> next(iter(loader)).shape
        torch.Size([16, 1, 64, 64])
    """

    name: str
    source: str
    num_images: int
    image_shape: tuple[int, int, int]
    images: Callable[[Index], Images]
    factor_space: FactorSpace | None = None
    factor_values: Callable[[Index], Int[np.ndarray, "batch factors"]] | None = None
    splits: dict[str, Int[np.ndarray, " _"]] = field(default_factory=dict)
    render: Callable[[Index], Images] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.splits:
            self.splits["train"] = np.arange(self.num_images)
        if "train" not in self.splits:
            raise ValueError(
                f"`splits` must have a split 'train'; got {sorted(self.splits)}. Rename one."
            )
        for split in self.splits.values():
            check_index(split, self.num_images)
        if self.names is not None and len(self.names) != self.num_images:
            raise ValueError(
                f"`names` must be one for each of {self.num_images} images; got "
                f"{len(self.names)}. Leave them out where images have none."
            )

    def __len__(self) -> int:
        return self.num_images

    def __getitem__(self, i: SupportsIndex) -> Float[Tensor, "channels height width"]:
        """Image `i`, float32 in [0, 1]; an IndexError if there is none."""
        return self.__getitems__([i])[0]

    def __getitems__(
        self, index: Sequence[SupportsIndex]
    ) -> list[Float[Tensor, "channels height width"]]:
        """Several images, read at once: what a `DataLoader` asks for."""
        chosen = np.array([int(i) for i in index], np.int64)
        last = self.num_images - 1
        if len(outside := chosen[(chosen < -last - 1) | (chosen > last)]):
            raise IndexError(
                f"`index` must be in 0..{last}, or from -1 back; got {outside[0]}. "
                f"{self.name} has {self.num_images} images."
            )
        pixels = self.images(chosen % self.num_images)
        return list(as_batch(torch.from_numpy(pixels)))

    def sample(self, count: int, *, seed: int = 0) -> Float[Tensor, "count channels height width"]:
        """At most so many of the images for training, drawn by a seed, float32 in [0, 1]."""
        train = self.splits["train"]
        index = np.random.default_rng(seed).choice(train, min(count, len(train)), replace=False)
        return as_batch(torch.from_numpy(self.images(np.sort(index))))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        splits = ", ".join(f"{len(index)} {name}" for name, index in self.splits.items())
        space = self.factor_space
        sizes = zip(space.names, space.sizes, strict=True) if space else []
        factors = ", ".join(f"{name} {size}" for name, size in sizes) or "no factors"
        return f"<{self.name}: {self.num_images} images of {shape} ({splits}); {factors}>"

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with images, factors or splits, but not with their place.

        It covers every byte of prepared images, through the checksums that were made then, and of
        an array in memory; of images that a function makes it covers an even sample.
        """
        space = self.factor_space
        facts = (self.num_images, self.image_shape, space and (space.names, space.sizes))
        digest = hashlib.sha256(repr(facts).encode())
        for split, index in sorted(self.splits.items()):
            digest.update(f"{split} ".encode() + np.asarray(index, np.int64).tobytes())
        if (checksums := getattr(self.images, "checksums", None)) is None:
            held = hasattr(self.images, "table")
            number = self.num_images if held else min(self.num_images, _SAMPLE)
            sample = np.linspace(0, self.num_images - 1, number).round().astype(np.int64)
            parts = np.array_split(sample, max(1, len(sample) // 64))
            checksums = np.concatenate([checksums_of(self.images(part)) for part in parts])
        digest.update(checksums.astype("<u4").tobytes())
        if self.factor_values is not None:
            for part in np.array_split(np.arange(self.num_images), self.num_images // 10**5 + 1):
                digest.update(self.factor_values(part).astype("<i8").tobytes())
        return digest.hexdigest()[:16]


def held_out(num_images: int, options: DataOptions) -> dict[str, Int[np.ndarray, " _"]]:
    """Split indices at random into "train" and "test", each sorted.

    The split depends on `num_images`, `test_fraction` and `split_seed` alone. Any fraction above
    0 holds out at least one image; 0 holds out none, and there is no split "test".
    """
    fraction = options.test_fraction
    if fraction == 0:
        return {"train": np.arange(num_images)}
    num_test = max(1, round(fraction * num_images))
    if num_test >= num_images:
        raise TooFewImagesError(
            f"`test_fraction` must leave an image for training; got {fraction} of {num_images} "
            "images. Lower it, 0 holds out none, or add images."
        )
    order = np.random.default_rng(options.split_seed).permutation(num_images)
    return {"train": np.sort(order[num_test:]), "test": np.sort(order[:num_test])}


def with_validation(dataset: FactorDataset, fraction: float, seed: int) -> FactorDataset:
    """The data set with a part of its "train" as a split of its own, "validation".

    Both are sorted. Any fraction above 0 takes at least one image; 0 takes none, and the data set
    is as it was.

    Raises:
        ValueError: If no image would be left for training, or there is such a split already.
    """
    if fraction == 0:
        return dataset
    whole = dataset.splits["train"]
    number = max(1, round(fraction * len(whole)))
    if number >= len(whole):
        raise ValueError(
            f"`held_out` must leave an image for training; got {fraction} of {len(whole)} images. "
            "Lower it, or add images."
        )
    if "validation" in dataset.splits:
        raise ValueError(
            f"`held_out` must be 0 for {dataset.name}, which has a split 'validation' of its own; "
            f"got {fraction}. Leave it out, or rename the split."
        )
    order = np.random.default_rng(seed).permutation(len(whole))
    parts = {"train": order[number:], "validation": order[:number]}
    own = {name: np.sort(whole[chosen]) for name, chosen in parts.items()}
    return replace(dataset, splits={**dataset.splits, **own})
