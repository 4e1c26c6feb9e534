"""Batches from whatever can be gone through again and again, such as a DataLoader."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from autobeta.types import Images


class Repeated:
    """Endless batches from a loader, on a device; of a tuple, as (images, labels), the first.

    It keeps no place in the loader, so a run can't be resumed with it.

    Args:
        loader: Gives batches (B, C, H, W), real numbers in [0, 1], all of one shape.
        device: Where they are wanted.

    Raises:
        TypeError: If `loader` can't be gone through.
        ValueError: When a batch is asked for, if there is none, or it has another shape.
    """

    def __init__(self, loader: Any, device: torch.device | str) -> None:  # noqa: ANN401 - checked here
        if not isinstance(loader, Iterable):
            raise TypeError(
                f"`batches` must be Batches, or give batches in a loop; got "
                f"{type(loader).__qualname__}. Give a DataLoader."
            )
        self._loader, self._device = loader, torch.device(device)
        self._items: Iterator[Any] = iter(())
        self._shape: tuple[int, ...] | None = None

    def __iter__(self) -> Iterator[Images]:
        return self

    def __next__(self) -> Images:
        x = self._next()
        if not isinstance(x, Tensor) or x.ndim != 4 or not x.is_floating_point():
            got = f"{x.dtype} of {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(
                "`batches` must give real tensors (batch, channels, height, width), or tuples "
                f"that begin with one; got {got}. Convert images, as by x / 255."
            )
        self._shape = self._shape or tuple(x.shape)
        if tuple(x.shape) != self._shape:
            raise ValueError(
                f"`batches` must have one shape, {self._shape}; got {tuple(x.shape)}. Give the "
                "DataLoader drop_last=True."
            )
        return x.to(self._device, torch.float32, non_blocking=True)

    def _next(self) -> Any:  # noqa: ANN401 - whatever the loader gives
        for again in (False, True):
            if again:
                self._items = iter(self._loader)
            for item in self._items:
                return item[0] if isinstance(item, tuple | list) else item
        raise ValueError(
            "`batches` must give at least one batch each time; got none. Give a loader that can "
            "be gone through again, of at least `batch_size` images."
        )
