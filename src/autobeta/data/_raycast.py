"""A small ray caster: one solid in a room, what each ray meets, and which lights reach it.

The floor is the plane z = 0, the wall the plane y = WALL. A solid stands on the floor, upright;
all its distances come from closed forms, for any number of rays at once. Lengths are in units of
the room, in which the camera looks along +y.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Rays = Float[np.ndarray, "rays 3"]
Distances = Float[np.ndarray, " rays"]

WALL = 3.0
FLOOR_HIT, WALL_HIT, SOLID_HIT = 0, 1, 2
_EPSILON = 1e-6


class Solid(NamedTuple):
    """A sphere, cube, cylinder or cone on the floor.

    `x` is to the right, `y` away from the camera, `size` half its width and half its height.
    """

    shape: str
    x: float
    y: float
    size: float


class Hits(NamedTuple):
    """What each ray meets first, where, and the unit normal of the surface there."""

    kind: Int[np.ndarray, " rays"]
    point: Rays
    normal: Rays


def camera_rays(height: float, size: int) -> tuple[Float[np.ndarray, " 3"], Rays]:
    """Origin and unit directions of the rays through the pixel centres, row by row from the top.

    The camera, at `height`, looks at a point just above the middle of the floor.
    """
    origin = np.array([0.0, -4.4, height])
    forward = np.array([0.0, 0.6, 0.3]) - origin
    forward /= np.linalg.norm(forward)
    right = np.array([1.0, 0.0, 0.0])
    up = np.cross(right, forward)
    steps = ((np.arange(size) + 0.5) / size - 0.5) * 0.66
    directions = forward + right * steps[None, :, None] - up * steps[:, None, None]
    directions = directions.reshape(-1, 3)
    return origin, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def cast(origin: Float[np.ndarray, " 3"], directions: Rays, solid: Solid) -> Hits:
    """What rays from one origin meet first; all of them meet floor or wall at last."""
    to_floor = _forward(-origin[2], directions[:, 2])
    to_wall = _forward(WALL - origin[1], directions[:, 1])
    to_solid, normal = _meet(np.broadcast_to(origin, directions.shape), directions, solid)
    distances = np.stack([to_floor, to_wall, to_solid])
    kind = distances.argmin(axis=0)
    point = origin + distances.min(axis=0)[:, None] * directions
    planes = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    return Hits(kind, point, np.where((kind == SOLID_HIT)[:, None], normal, planes[kind]))


def lit(hits: Hits, light: Float[np.ndarray, " 3"], solid: Solid) -> Distances:
    """Cosine of the angle to each surface of a unit vector to the light; 0 in shadow."""
    cosine = np.maximum(hits.normal @ light, 0)
    above = hits.point + 1e-4 * hits.normal
    shadow, _ = _meet(above, np.broadcast_to(light, above.shape), solid)
    return np.where(np.isfinite(shadow), 0.0, cosine)


def _forward(gap: float, speed: Distances) -> Distances:
    """Distance at which a ray reaches a plane; infinite if it goes away from it."""
    reaches = speed * np.sign(gap) > _EPSILON
    return np.where(reaches, gap / np.where(reaches, speed, 1), np.inf)


def _meet(origins: Rays, directions: Rays, solid: Solid) -> tuple[Distances, Rays]:
    """Distance to the solid, infinite where it is missed, and its normal there."""
    local = origins - np.array([solid.x, solid.y, 0.0])
    return _SHAPES[solid.shape](local, directions, solid.size)


def _sphere(o: Rays, d: Rays, r: float) -> tuple[Distances, Rays]:
    o = o - np.array([0.0, 0.0, r])
    t = _first_root((d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - r * r)
    return t, _at(o, d, t) / r


def _cube(o: Rays, d: Rays, r: float) -> tuple[Distances, Rays]:
    """A cube turned by 30 degrees, so that two of its sides are seen."""
    turn = np.array([[_COS, -_SIN, 0.0], [_SIN, _COS, 0.0], [0.0, 0.0, 1.0]])
    r = r * 0.85  # its edges stick out
    o, d = (o - np.array([0.0, 0.0, r])) @ turn, d @ turn
    safe = np.where(np.abs(d) > _EPSILON, d, _EPSILON)
    near, far = np.sort(np.stack([(-r - o) / safe, (r - o) / safe]), axis=0)
    axis = near.argmax(axis=1)
    t, leave = near.max(axis=1), far.min(axis=1)
    t = np.where((t < leave) & (t > _EPSILON), t, np.inf)
    normal = np.zeros_like(o)
    rows = np.arange(len(o))
    normal[rows, axis] = -np.sign(d[rows, axis])
    return t, normal @ turn.T


def _cylinder(o: Rays, d: Rays, r: float) -> tuple[Distances, Rays]:
    side = _first_root(
        (d[:, :2] ** 2).sum(1), (o[:, :2] * d[:, :2]).sum(1), (o[:, :2] ** 2).sum(1) - r * r
    )
    p = _at(o, d, side)
    side = np.where((p[:, 2] >= 0) & (p[:, 2] <= 2 * r), side, np.inf)
    normal = p * np.array([1.0, 1.0, 0.0]) / r
    top, up = _disc(o, d, r, 2 * r)
    return np.minimum(side, top), np.where((side <= top)[:, None], normal, up)


def _cone(o: Rays, d: Rays, r: float) -> tuple[Distances, Rays]:
    """Apex at height 2 r above a base of radius r: x^2 + y^2 = ((2 r - z) / 2)^2."""
    apex = o - np.array([0.0, 0.0, 2 * r])
    flat = np.array([1.0, 1.0, -0.25])
    a, half_b, c = ((flat * u * v).sum(1) for u, v in ((d, d), (apex, d), (apex, apex)))
    t = np.full(len(o), np.inf)
    for root in _roots(a, half_b, c):  # a steep ray meets the mirrored cone above the apex first
        height = _at(apex, d, root)[:, 2]
        t = np.minimum(t, np.where((height <= 0) & (height >= -2 * r), root, np.inf))
    normal = _at(apex, d, t) * flat
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), _EPSILON)
    return t, normal


def _disc(o: Rays, d: Rays, r: float, z: float) -> tuple[Distances, Rays]:
    t = (z - o[:, 2]) / np.where(np.abs(d[:, 2]) > _EPSILON, d[:, 2], _EPSILON)
    p = _at(o, d, t)
    t = np.where((t > _EPSILON) & ((p[:, :2] ** 2).sum(1) <= r * r), t, np.inf)
    return t, np.broadcast_to(np.array([0.0, 0.0, 1.0]), o.shape)


def _first_root(a: Distances, half_b: Distances, c: Distances) -> Distances:
    return np.minimum(*_roots(a, half_b, c))


def _roots(a: Distances, half_b: Distances, c: Distances) -> tuple[Distances, Distances]:
    """Both solutions t of a t^2 + 2 half_b t + c = 0; infinite where there is no positive one."""
    square = half_b**2 - a * c
    root = np.sqrt(np.maximum(square, 0))
    safe = np.where(np.abs(a) > _EPSILON, a, _EPSILON)
    both = np.stack([(-half_b - root) / safe, (-half_b + root) / safe])
    first, second = np.where((square > 0) & (both > _EPSILON), both, np.inf)
    return first, second


def _at(o: Rays, d: Rays, t: Distances) -> Rays:
    """Points at distance t; the origin where it is infinite."""
    return o + np.where(np.isfinite(t), t, 0)[:, None] * d


_COS, _SIN = float(np.cos(np.pi / 6)), float(np.sin(np.pi / 6))
_SHAPES = {"sphere": _sphere, "cube": _cube, "cylinder": _cylinder, "cone": _cone}
