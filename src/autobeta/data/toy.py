"""Toy squares: tiny grey images from four factors, made in a moment, for tests and trials.

A bright square on black. `posX` and `posY` move its centre over the canvas, `size` sets its side
to 1/8, 1/6, 1/5 or 1/4 of the canvas, `brightness` its grey value to 1/4, 1/2, 3/4 or 1 of
white. Edges are not smoothed, so a small move may leave an image as it was at 32 pixels.

Options read: `image_size`, `channels` (1).
"""

import numpy as np
from jaxtyping import UInt8

from autobeta.data._core.dataset import Images, Index
from autobeta.data._core.factors import FactorSpace

SOURCE = "Rendered by autobeta."
LICENSE = "Apache-2.0"
FACTORS = {"posX": 12, "posY": 12, "size": 4, "brightness": 4}
KINDS = dict.fromkeys(FACTORS, "ordinal")
SIZE = 64
CHANNELS = (1,)

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))


def render(index: Index, image_size: int = 64) -> Images:
    """Images at positions of the factor grid, shape (batch, image_size, image_size, 1).

    Example:
        >>> render(np.array([0])).max()
        np.uint8(64)
    """
    x, y, size, brightness = SPACE.factors(index).T
    side = np.array([1 / 8, 1 / 6, 1 / 5, 1 / 4])[size]
    grey = np.array([64, 128, 191, 255], np.uint8)[brightness]
    columns = _covered(x / 11, side, image_size)
    rows = _covered(y / 11, side, image_size)
    return (rows[:, :, None] * columns[:, None, :] * grey[:, None, None])[..., None]


def _covered(position: np.ndarray, side: np.ndarray, size: int) -> UInt8[np.ndarray, "batch size"]:
    """1 where a pixel's centre is inside the square, along one axis; `position` in [0, 1]."""
    centres = (np.arange(size) + 0.5) / size
    middle = 0.2 + 0.6 * position
    return (np.abs(centres - middle[:, None]) < side[:, None] / 2).astype(np.uint8)
