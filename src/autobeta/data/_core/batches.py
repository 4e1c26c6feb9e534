"""Endless shuffled batches of images from a data set; they never hold factors."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autobeta.data._core.dataset import FactorDataset
from autobeta.data._core.sources import StoredImages
from autobeta.data._core.tensors import as_batch

_AHEAD = 8  # batches that the system is asked to read ahead of their use


class Batches:
    """Endless shuffled batches (B, C, H, W), float32 in [0, 1], channels-last in memory.

    Every epoch is a fresh permutation of the split; a batch may span two epochs, so all batches
    have the same size. The order depends on `seed` alone, not on torch's global random state.

    Of several `parts` of each batch only `part` is given, for processes that share it.

    `device` is where they are wanted; uint8 travels there and is converted there. If `resident`,
    the whole set lies there, as uint8 or packed bits, and batches are gathered there. Left out, it
    does so on CUDA, where it takes less than half the free memory.

    Raises:
        ValueError: If the data set has no such split, it has fewer images than a batch, or
            `resident` is asked for a set that is rendered on demand.

    Example:
        >>> from autobeta.data import load_data
        >>> batches = Batches(load_data("toy"), 16, seed=0)
        >>> next(batches).shape
        torch.Size([16, 1, 64, 64])
    """

    def __init__(
        self,
        dataset: FactorDataset,
        batch_size: int,
        seed: int,
        *,
        split: str = "train",
        part: int = 0,
        parts: int = 1,
        device: torch.device | str | None = None,
        resident: bool | None = None,
    ) -> None:
        if split not in dataset.splits:
            raise ValueError(
                f"`split` must be one of {', '.join(dataset.splits)}; got {split!r}. "
                f"{dataset.name} has no other splits."
            )
        self._indices = dataset.splits[split]
        if not 1 <= batch_size <= len(self._indices):
            raise ValueError(
                f"`batch_size` must be in 1..{len(self._indices)}, the images in {split!r} of "
                f"{dataset.name}; got {batch_size}. Lower it (--batch-size)."
            )
        if batch_size % parts:
            raise ValueError(
                f"`batch_size` must be a multiple of the {parts} processes; got {batch_size}. "
                f"{parts * -(-batch_size // parts)} is the next."
            )
        self._dataset, self._batch_size = dataset, batch_size
        own = batch_size // parts
        self._own = slice(part * own, (part + 1) * own)
        self._device = torch.device(device or "cpu")
        self._on_device = self._make_resident(dataset, resident)
        self._generator = torch.Generator().manual_seed(seed)
        self._start_epoch()

    def __iter__(self) -> Iterator[Float[Tensor, "batch channels height width"]]:
        return self

    def __next__(self) -> Float[Tensor, "batch channels height width"]:
        chosen = self._take(self._batch_size)
        while len(chosen) < self._batch_size:
            self._start_epoch()
            chosen = np.concatenate([chosen, self._take(self._batch_size - len(chosen))])
        index = self._indices[chosen[self._own]]
        if self._on_device is None:
            pixels = self._send(self._dataset.images(index))
        else:
            pixels = self._on_device(self._send(index))
        return as_batch(pixels)

    def state_dict(self) -> dict[str, Any]:
        """What a resume needs: "generator", its state when the epoch began, and "position"."""
        return {"generator": self._epoch_state.clone(), "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken; a ValueError if not of as many images."""
        position = int(state["position"])
        if not 0 <= position <= len(self._indices):
            raise ValueError(
                f"`position` must be in 0..{len(self._indices)}; got {position}. "
                "Resume with the data set that the run began with."
            )
        self._generator.set_state(state["generator"])
        self._start_epoch()
        self._position = self._asked = position

    def _make_resident(
        self, dataset: FactorDataset, resident: bool | None
    ) -> Callable[[Tensor], Tensor] | None:
        images = dataset.images
        if not isinstance(images, StoredImages):
            if resident:
                raise ValueError(
                    f"`resident` must be left out for {dataset.name}, whose images are not "
                    "stored; got True."
                )
            return None
        if resident is None:
            resident = self._device.type == "cuda" and (
                images.table.nbytes < torch.cuda.mem_get_info(self._device)[0] / 2
            )
        return images.on_device(self._device) if resident else None

    def _send(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def _start_epoch(self) -> None:
        self._epoch_state = self._generator.get_state()
        self._order = torch.randperm(len(self._indices), generator=self._generator).numpy()
        self._position = self._asked = 0

    def _take(self, count: int) -> np.ndarray:
        chosen = self._order[self._position : self._position + count]
        self._position += len(chosen)
        self._read_ahead()
        return chosen

    def _read_ahead(self) -> None:
        images = self._dataset.images
        if self._on_device is None and isinstance(images, StoredImages):
            end = self._position + _AHEAD * self._batch_size
            images.read_ahead(self._indices[self._order[self._asked : end]])
            self._asked = max(self._asked, end)
