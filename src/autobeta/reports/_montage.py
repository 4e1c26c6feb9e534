"""Puts small images (..., H, W, C), uint8 with one channel or three, together to a large one."""

import numpy as np

GAP = 4  # pixels between two images, after they are enlarged
SIDE = 96  # pixels; smaller images are enlarged by a whole factor to about this
WHITE = 255


def montage(images: np.ndarray) -> np.ndarray:
    """Rows of images (rows, columns, H, W, C) as one RGB image, enlarged, with white gaps."""
    times = factor(images)
    images = images.repeat(times, axis=2).repeat(times, axis=3)
    images = np.broadcast_to(images, (*images.shape[:4], 3))
    gaps = [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)]
    padded = np.pad(images, gaps, constant_values=WHITE)
    rows, columns, high, wide, _ = padded.shape
    joined = padded.swapaxes(1, 2).reshape(rows * high, columns * wide, 3)
    return joined[:-GAP, :-GAP]


def factor(images: np.ndarray) -> int:
    return max(1, round(SIDE / max(images.shape[-3:-1])))


def centres(count: int, side: int) -> list[float]:
    return [number * (side + GAP) + (side - 1) / 2 for number in range(count)]


def filled(images: np.ndarray, columns: int) -> np.ndarray:
    """A row of images, white ones added where it is short."""
    spare = [(0, columns - len(images)), (0, 0), (0, 0), (0, 0)]
    return np.pad(images, spare, constant_values=WHITE)


def paled(images: np.ndarray, active: np.ndarray) -> np.ndarray:
    """The rows of dead latents half faded to white."""
    paled = images.copy()
    paled[~active] = WHITE - (WHITE - paled[~active]) // 2
    return paled
