"""From pixels, uint8 0..255, to what networks take."""

import functools

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


@functools.cache
def _white(device: torch.device) -> Tensor:
    """A tensor there: CUDA multiplies by the reciprocal of a Python number instead of dividing."""
    return torch.tensor(255.0, device=device)


def as_batch(
    pixels: UInt8[Tensor, "batch height width channels"],
) -> Float[Tensor, "batch channels height width"]:
    """Images 0..255 as networks take them, float32 in [0, 1], channels-last in memory."""
    return pixels.permute(0, 3, 1, 2) / _white(pixels.device)
