"""Our own rendering of the dSprites images, exact to a few pixels in the whole set.

The sprites are polygons on a canvas of 64 x 64 pixels, drawn without anti-aliasing as OpenGL
draws them: vertices snap to 1/256 pixel, a pixel is on if its centre is inside, and of centres on
an edge those on left and bottom edges are in. The geometry was found by fitting real images.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

CANVAS = 64
SCALES = np.linspace(0.5, 1.0, 6)
ORIENTATIONS = np.linspace(0.0, 2 * np.pi, 40)  # both ends: 0 and 39 are the same angle
CENTRES = 16 + 32 * np.linspace(0.0, 1.0, 32)  # pixels, the same for posX and posY
_SNAP = 256


def outline(shape: int) -> Float[np.ndarray, "vertices 2"]:
    """Polygon of square (0), ellipse (1) or heart (2) at scale 1, x right and y down, pixels."""
    if shape == 0:
        half = 0.15 * CANVAS
        return half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    if shape == 1:
        t = 2 * np.pi * np.arange(100) / 100
        return np.stack([9.6 * 1.33 * np.cos(t), 9.6 / 1.33 * np.sin(t)], 1)
    t = 2 * np.pi * np.arange(150) / 150
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([19.2 * x / 32, -19.2 * (y / 29 + 0.075)], 1)


def render_column(
    shape: int, scale: int, orientation: int, pos_y: int, pos_x: Int[np.ndarray, " batch"]
) -> UInt8[np.ndarray, "batch 64 64"]:
    """Images {0, 1} that differ in posX alone; a sprite's rows are found once for all of them."""
    v = SCALES[scale] * outline(shape)
    c, s = np.cos(ORIENTATIONS[orientation]), np.sin(ORIENTATIONS[orientation])
    x = _snap(c * v[:, 0] + s * v[:, 1] + CENTRES[pos_x][:, None])  # (B, V)
    y = _snap(-s * v[:, 0] + c * v[:, 1] + CENTRES[pos_y])  # (V,)
    x_next, y_next = np.roll(x, -1, 1), np.roll(y, -1)
    rows = np.arange(CANVAS) * _SNAP + _SNAP // 2
    low, high = np.minimum(y, y_next), np.maximum(y, y_next)
    row, edge = np.nonzero((rows[:, None] > low) & (rows[:, None] <= high))
    slope = (rows[row] - y[edge]) / (y_next - y)[edge]
    crossing = (x_next - x)[:, edge] * slope + x[:, edge]  # (B, V) -> (B, crossings)
    column = np.clip(np.ceil((crossing - _SNAP // 2) / _SNAP), 0, CANVAS).astype(np.int64)
    # Each crossing switches the pixels to its right, so a pixel is on after an odd number.
    image = np.arange(len(x))[:, None]
    place = (image * CANVAS + row) * (CANVAS + 1) + column
    counts = np.bincount(place.ravel(), minlength=len(x) * CANVAS * (CANVAS + 1))
    switches = counts.astype(np.uint8).reshape(len(x), CANVAS, CANVAS + 1)
    return np.bitwise_xor.accumulate(switches, axis=2)[:, :, :CANVAS] & 1


def _snap(pixels: np.ndarray) -> np.ndarray:
    return np.floor(pixels * _SNAP + 0.5).astype(np.int64)


def render(factors: Int[np.ndarray, "batch 5"]) -> UInt8[np.ndarray, "batch 64 64"]:
    """Images {0, 1} of (shape, scale, orientation, posX, posY), one row each."""
    images = np.empty((len(factors), CANVAS, CANVAS), np.uint8)
    columns, member = np.unique(factors[:, [0, 1, 2, 4]], axis=0, return_inverse=True)
    member = member.ravel()
    for i, (shape, scale, orientation, pos_y) in enumerate(columns.tolist()):
        rows = np.flatnonzero(member == i)
        images[rows] = render_column(shape, scale, orientation, pos_y, factors[rows, 3])
    return images
