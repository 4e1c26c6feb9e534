"""FactorDataset: images on demand, with the factors that made them where they are known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int, UInt8

from autobeta.data._factors import FactorSpace, check_index
from autobeta.settings import DataOptions

Images = UInt8[np.ndarray, "batch height width channels"]
Index = Int[np.ndarray, " batch"]

IMAGE_SIZES = (32, 64, 128)


DEFAULT_OPTIONS = DataOptions()


@dataclass(frozen=True, kw_only=True)
class FactorDataset:
    """A data set of images: the one class that every source fills in.

    Args:
        name: Name of the data set.
        source: Where the images come from, in words; a run's config keeps it.
        num_images: Number of images.
        image_shape: (height, width, channels), pixels.
        images: Function from indices, shape (batch,), to uint8 images 0..255.
        factor_space: Sizes and names of the factors; None where there are none.
        factor_values: Function from indices to integer factor values, shape (batch, num_factors).
        splits: Indices of the parts: "train" always, "test" where a part is held out. Left out,
            all images are for training.
        render: Function that makes the same images afresh, to check prepared ones; None where
            they can only come from files.

    Raises:
        ValueError: If `splits` has no "train", or an index out of range.
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

    def __post_init__(self) -> None:
        if not self.splits:
            self.splits["train"] = np.arange(self.num_images)
        if "train" not in self.splits:
            raise ValueError(
                f"`splits` must have a part 'train'; got {sorted(self.splits)}. Rename a part."
            )
        for part in self.splits.values():
            check_index(part, self.num_images)

    def __len__(self) -> int:
        return self.num_images


def check_options(
    name: str,
    options: DataOptions,
    *,
    sizes: Iterable[int] = IMAGE_SIZES,
    channels: Iterable[int] = (1, 3),
    reason: str = "The networks are built for these sizes.",
) -> None:
    """Refuse a size or a number of channels that the data set can't be brought to.

    Args:
        name: Name of the data set, for the message.
        options: What was asked for.
        sizes: Image sizes that it offers.
        channels: Numbers of channels that it offers; None is always fine.
        reason: Why there are no other sizes, a sentence.

    Raises:
        ValueError: If it doesn't offer what was asked for.
    """
    if options.image_size not in (sizes := tuple(sizes)):
        choices = " or ".join(map(str, sizes))
        raise ValueError(
            f"`image_size` must be {choices} for {name}; got {options.image_size}. {reason}"
        )
    if options.channels is not None and options.channels not in (channels := tuple(channels)):
        choices = " or ".join(map(str, channels))
        raise ValueError(
            f"`channels` must be {choices} for {name}; got {options.channels}. "
            "Leave it out to keep what the images have."
        )


def check_variant(name: str, options: DataOptions, variants: tuple[str, ...]) -> str:
    """The variant asked for, the first if none is.

    Raises:
        ValueError: If there is none of that name; the message lists them.
    """
    if options.variant is None:
        return variants[0]
    if options.variant not in variants:
        raise ValueError(
            f"`variant` must be one of {', '.join(variants)} for {name}; got {options.variant!r}."
        )
    return options.variant


def held_out(num_images: int, options: DataOptions) -> dict[str, Int[np.ndarray, " _"]]:
    """Split indices at random into "train" and "test", each sorted.

    The split depends on `num_images`, `test_fraction` and `split_seed` alone. Any fraction above
    0 holds out at least one image; 0 holds out none, and there is no part "test".

    Raises:
        ValueError: If `test_fraction` is not in [0, 1) or leaves no image for training.
    """
    fraction = options.test_fraction
    if not 0 <= fraction < 1:
        raise ValueError(
            f"`test_fraction` must be in [0, 1); got {fraction}. Try 0.1, or 0 to hold out none."
        )
    if fraction == 0:
        return {"train": np.arange(num_images)}
    num_test = max(1, round(fraction * num_images))
    if num_test >= num_images:
        raise ValueError(
            f"`test_fraction` must leave an image for training; got {fraction} of {num_images} "
            "images. Lower it, or add images."
        )
    order = np.random.default_rng(options.split_seed).permutation(num_images)
    return {"train": np.sort(order[num_test:]), "test": np.sort(order[:num_test])}
