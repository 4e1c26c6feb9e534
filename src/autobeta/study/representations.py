"""What the representations of runs tell beyond their scores: UDR, and a score's own error.

Both are bounded, so that a report of many runs stays quick: UDR takes at most `POINTS` images and
`MOST_RUNS` runs of a group, the error of a score `HALVES` halves of the points of one run.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autobeta.metrics import intervals, udr
from autobeta.run import folder as files

POINTS = 2000
MOST_RUNS = 20
HALVES = 8


def agreement(runs: Sequence[Path]) -> dict[Path, float]:
    """UDR of runs that differ by their seed, without any factors; see `autobeta.metrics.udr`.

    Left out are runs past the first `MOST_RUNS`, those without finite codes, and those that were
    evaluated on other images than the first. Empty where fewer than two are left.

    Args:
        runs: Folders of the runs of one group, of the same data.
    """
    parts = {run: part for run in runs[:MOST_RUNS] if (part := _representation(run)) is not None}
    first = next(iter(parts.values()), {})
    alike = {
        run: part
        for run, part in parts.items()
        if np.array_equal(part["index"], first["index"]) and _is_finite(part)
    }
    if len(alike) < 2:
        return {}
    every = -(-len(first["index"]) // POINTS)
    scores = udr([(part["codes"][::every], part["logvars"][::every]) for part in alike.values()])
    return dict(zip(alike, scores.tolist(), strict=True))


def own_error(run: Path, metric: str) -> float | None:
    """Half the width of the 95 % interval of a run's score, from `HALVES` halves of its points.

    Args:
        run: Its folder.
        metric: Printed name, such as mig[bins=20], of a metric whose score is one number.

    Returns:
        The longer side; None where the run keeps no factors, or the score can't be had.
    """
    part = _representation(run)
    if part is None or "factors" not in part:
        return None
    try:
        scores, ends = intervals(
            part["codes"],
            part["factors"],
            logvars=part["logvars"],
            metrics=[metric.partition("[")[0]],
            halves=HALVES,
        )
    except ValueError:
        return None
    score, end = scores.get(metric), ends.get(metric)
    if not isinstance(score, float) or not isinstance(end, tuple):
        return None
    reach = max(score - end[0], end[1] - score)
    return float(reach) if np.isfinite(reach) else None


def _representation(run: Path) -> dict[str, np.ndarray] | None:
    try:
        return files.read_representation(run)
    except (OSError, ValueError):
        return None


def _is_finite(part: dict[str, np.ndarray]) -> bool:
    return bool(np.isfinite(part["codes"]).all() and np.isfinite(part["logvars"]).all())
