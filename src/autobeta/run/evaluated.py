"""Which evaluation of a run is still to be done; known from its folder alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autobeta.metrics import left_out, printed_name
from autobeta.run import folder as files
from autobeta.settings import EvaluationConfig, TrainConfig


def missing_evaluation(
    folder: Path, asked: EvaluationConfig, *, steps: int, num_train: int
) -> EvaluationConfig | None:
    """The evaluation that is still to be done; None if that in the folder has all that is asked.

    One that only lacks metrics is done with as many images and pictures as before, if these were
    more.

    Args:
        folder: A run folder.
        asked: The evaluation that is wanted.
        steps: Updates that the network has had.
        num_train: Images that the run was trained on.

    Raises:
        ValueError: If `metrics.json` is damaged.
    """
    found = files.read_metrics(folder / files.METRICS)
    whole = found.get("step", steps) == steps and files.is_whole_evaluation(folder, found)
    if whole and has_all(found, asked, steps=steps, num_train=num_train):
        return None
    kept = found if whole else {}
    points, pictures = kept.get("num_points") or 0, kept.get("num_pictures") or 0
    return replace(
        asked,
        num_points=max(asked.num_points, points),
        num_pictures=max(asked.num_pictures, pictures),
    )


def has_all(
    found: Mapping[str, Any], asked: EvaluationConfig, *, steps: int, num_train: int
) -> bool:
    """Whether an evaluation has all that is asked: its step, images, seed, pictures and metrics.

    Args:
        found: What `metrics.json` holds.
        asked: The evaluation that is wanted.
        steps: Updates that the network has had.
        num_train: Images that the run was trained on.
    """
    enough = (found.get("num_points") or 0) >= min(asked.num_points, num_train)
    same = found.get("seed") == asked.metrics_seed and found.get("step", steps) == steps
    # an earlier version kept no word of the pictures
    shown = (found.get("num_pictures") or asked.num_pictures) >= asked.num_pictures
    return enough and same and shown and _has_metrics(found, asked.metrics)


def lacks_evaluations(folder: Path, config: TrainConfig) -> bool:
    """Whether a finished run has no scores by step, which its settings ask for."""
    if (every := config.evaluate_every) is None or (folder / files.EVALUATIONS).exists():
        return False
    try:
        return every < (files.stopped_at(folder) or config.steps)
    except (OSError, ValueError):  # no run, or a damaged one, which is said where it is read
        return False


def _has_metrics(found: Mapping[str, Any], asked: Sequence[str] | None) -> bool:
    """Whether the metrics were computed, if only to find that they are not finite.

    Of the default suite those count as missing that were left out and could be had by now.
    """
    before = found.get("asked")  # version 0.1 kept no word; None is the default suite
    scores = {*(found.get("metrics") or ()), *map(printed_name, before or ())}
    if asked is not None:
        return {*map(printed_name, asked)} <= scores
    lacking = set(found.get("left_out") or ()) - scores
    return before is None and lacking <= left_out(sorted(lacking)).keys()
