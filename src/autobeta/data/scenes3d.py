"""scenes3d: 393,216 RGB scenes of one solid in a room, from eight factors; needs no download.

A full factor grid in the manner of Shapes3D and MPI3D, rendered by a ray caster of our own with
shadows and smoothed edges. It stands in for the 3-D sets where these can't be had; numbers on it
compare with nothing but themselves.

Factors in order, last fastest: shape (sphere, cube, cylinder, cone), size, posX (left to right),
posY (near to far), camera_height (low to high), light (from left to right), hue (of the solid,
round the colour circle), background (four pairs of floor and wall colours). The first five make
the geometry, which is rendered once for all its lights and colours.

Options read: `image_size`, `channels` (3).
"""

import numpy as np
from jaxtyping import Float, UInt8

from autobeta.data import _raycast
from autobeta.data._core.dataset import Images, Index
from autobeta.data._core.factors import FactorSpace

SOURCE = "Rendered by autobeta."
LICENSE = "Apache-2.0"
FACTORS = {
    "shape": 4, "size": 4, "posX": 8, "posY": 8, "camera_height": 3, "light": 4, "hue": 8,
    "background": 4,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "ordinal")
KINDS |= {"shape": "categorical", "hue": "cyclic", "background": "categorical"}
CHANNELS = (3,)
SIZE = 64
DISK = "4.8 GB in the cache at 64 pixels"

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
_GEOMETRY = 5  # the first so many factors

SHAPES = ("sphere", "cube", "cylinder", "cone")
HALF_WIDTHS = (0.3, 0.42, 0.55, 0.7)
POS_X = np.linspace(-0.75, 0.75, 8)
POS_Y = np.linspace(-0.5, 1.7, 8)
HEIGHTS = (0.8, 2.2, 4.0)
AZIMUTHS = np.deg2rad([-70.0, -25.0, 25.0, 70.0])  # of the light, from behind the camera
BACKGROUNDS = np.array(
    [
        [[0.72, 0.66, 0.56], [0.50, 0.60, 0.78]],
        [[0.42, 0.50, 0.42], [0.84, 0.80, 0.68]],
        [[0.60, 0.60, 0.64], [0.62, 0.42, 0.44]],
        [[0.34, 0.34, 0.44], [0.56, 0.70, 0.60]],
    ]
)  # (background, floor or wall, RGB)
AMBIENT = 0.35
_OVERSAMPLING = 2


def render(index: Index, image_size: int = 64) -> Images:
    """Images at positions of the factor grid, shape (batch, image_size, image_size, 3).

    Example:
        >>> render(np.array([0, 5]), image_size=32).shape
        (2, 32, 32, 3)
    """
    factors = SPACE.factors(index)
    images = np.empty((len(index), image_size, image_size, 3), np.uint8)
    solids, member = np.unique(factors[:, :_GEOMETRY], axis=0, return_inverse=True)
    for i, geometry in enumerate(solids):
        rows = np.flatnonzero(member.ravel() == i)
        block = render_block(*geometry.tolist(), image_size=image_size)
        images[rows] = block[tuple(factors[rows, _GEOMETRY:].T)]
    return images


def render_block(
    shape: int, size: int, pos_x: int, pos_y: int, camera_height: int, *, image_size: int
) -> UInt8[np.ndarray, "light hue background height width 3"]:
    """One solid from one camera, under all lights and in all colours."""
    solid = _raycast.Solid(SHAPES[shape], POS_X[pos_x], POS_Y[pos_y], HALF_WIDTHS[size])
    fine = image_size * _OVERSAMPLING
    hits = _raycast.cast(*_raycast.camera_rays(HEIGHTS[camera_height], fine), solid)
    seen = hits.kind[:, None] == np.arange(3)  # (rays, floor, wall, solid)
    lights = range(SPACE.sizes[_GEOMETRY])
    shades = [AMBIENT + (1 - AMBIENT) * _raycast.lit(hits, _towards(i), solid) for i in lights]
    parts = np.stack(shades)[:, :, None] * seen
    cells = (len(parts), image_size, _OVERSAMPLING, image_size, _OVERSAMPLING, 3)
    parts = parts.reshape(cells).mean(axis=(2, 4))  # (light, height, width, part)
    pixels = np.einsum("lyxp,hbpc->lhbyxc", parts, _palette())
    return np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def _towards(light: int) -> Float[np.ndarray, " 3"]:
    """Unit vector towards a light, 50 degrees above the floor."""
    azimuth, elevation = AZIMUTHS[light], np.deg2rad(50.0)
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), -level * np.cos(azimuth), np.sin(elevation)])


def _palette() -> Float[np.ndarray, "hue background part 3"]:
    _, _, _, _, _, _, num_hues, num_backgrounds = SPACE.sizes
    colours = np.empty((num_hues, num_backgrounds, 3, 3))
    colours[:, :, :2] = BACKGROUNDS[None, :num_backgrounds]
    angle = 2 * np.pi * np.arange(num_hues) / num_hues
    thirds = angle[:, None] - 2 * np.pi * np.arange(3) / 3
    colours[:, :, 2] = (0.55 + 0.4 * np.cos(thirds))[:, None]
    return colours
