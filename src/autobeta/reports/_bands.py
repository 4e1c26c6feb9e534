"""What the seeds of a group have in common: bands of their curves, hulls of their points."""

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, NamedTuple

import numpy as np

from autobeta.reports._study import StudyGroup, StudyRecord, seed_of
from autobeta.reports.figures import kl_of
from autobeta.run import folder

STRETCHES = 100  # of a run's steps, each a point of a band
Curve = tuple[np.ndarray, np.ndarray]


class Band(NamedTuple):
    """Median, lowest and highest value by step."""

    steps: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(curves: Sequence[Curve]) -> Band:
    """Curves of several seeds as one, in stretches of equal length; one that ends early just ends.

    Example:
        >>> one, two = np.array([1.0, 2.0]), np.array([3.0, 6.0])
        >>> band([(one, one), (one, two)]).middle.tolist()
        [2.0, 4.0]
    """
    if not curves:
        return Band(*(np.empty(0) for _ in range(4)))
    known = np.unique(np.concatenate([steps for steps, _ in curves]))
    if len(known) > STRETCHES:
        ends = np.linspace(known[0], known[-1], STRETCHES + 1)[1:]
        known = ends
    means = np.full((len(curves), len(known)), np.nan)
    low, high = np.full(len(known), np.inf), np.full(len(known), -np.inf)
    for row, (steps, values) in zip(means, curves, strict=True):
        place = np.searchsorted(known, steps)
        count = np.bincount(place, minlength=len(known))
        filled = count > 0
        row[filled] = np.bincount(place, values, minlength=len(known))[filled] / count[filled]
        np.minimum.at(low, place, values)
        np.maximum.at(high, place, values)
    seen = ~np.isnan(means).all(axis=0)
    return Band(known[seen], np.nanmedian(means[:, seen], axis=0), low[seen], high[seen])


def hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Corners of the convex hull, by Andrew's monotone chain; at most two points are themselves.

    Example:
        >>> hull([(0.0, 0.0), (2.0, 0.0), (1.0, 1.0), (1.0, 3.0)])
        [(0.0, 0.0), (2.0, 0.0), (1.0, 3.0)]
    """
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered

    def chain(some: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        found: list[tuple[float, float]] = []
        for x, y in some:
            while len(found) > 1:
                (ax, ay), (bx, by) = found[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                found.pop()
            found.append((x, y))
        return found[:-1]

    return chain(ordered) + chain(ordered[::-1])


def curves(record: StudyRecord, group: StudyGroup) -> dict[str, list[Curve]]:
    """Logged KL, set point and beta of each run of a group."""
    reads: dict[str, Callable[[dict[str, Any]], Any]] = {
        "kl": kl_of, "target": methodcaller("get", "target"), "beta": methodcaller("get", "beta")
    }  # fmt: skip
    found: dict[str, list[Curve]] = {key: [] for key in reads}
    for row in sorted(group.rows, key=seed_of):
        try:
            lines = folder.read_jsonl(record.folder(row) / folder.LOG)
        except (OSError, ValueError):
            continue
        for key, read in reads.items():
            points = [(line["step"], v) for line in lines if (v := read(line)) is not None]
            steps, values = np.array(points, dtype=float).reshape(-1, 2).T
            finite = np.isfinite(values)
            if finite.any():
                found[key].append((steps[finite], values[finite]))
    return found
