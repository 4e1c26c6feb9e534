"""HeldOut: the images that validation looks at, the same batches each time."""

from collections.abc import Iterator

import numpy as np
import torch

from autobeta.data import FactorDataset, as_batch
from autobeta.types import Images

MOST = 10_000
"""Images of the split that are taken at most."""


class HeldOut:
    """Batches of held-out images, in a fixed order, of sizes that differ by one at most.

    Args:
        dataset: Where they are.
        split: "validation", or "test".
        batch_size: Images in a batch at most, but where the last one had fewer than `min_batch`.
        seed: Of the sample that is taken of more than `MOST` images.
        min_batch: Images that a batch must have at least.

    Raises:
        ValueError: If there are fewer images than `min_batch`.
    """

    def __init__(
        self,
        dataset: FactorDataset,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        min_batch: int = 1,
    ) -> None:
        index = np.asarray(dataset.splits[split])
        if len(index) > MOST:
            chosen = np.random.default_rng(seed).choice(len(index), MOST, replace=False)
            index = index[np.sort(chosen)]
        if len(index) < min_batch:
            raise ValueError(
                f"`held_out` must leave at least {min_batch} images for validation; got "
                f"{len(index)} in {split!r} of {dataset.name}. Raise it."
            )
        number = min(-(-len(index) // batch_size), len(index) // min_batch)
        self._parts, self._images = np.array_split(index, number), dataset.images

    def batches(self, device: torch.device) -> Iterator[Images]:
        """The images, float32 in [0, 1]."""
        for part in self._parts:
            yield as_batch(torch.from_numpy(self._images(part)).to(device))
