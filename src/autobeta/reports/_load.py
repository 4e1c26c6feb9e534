"""Reads run folders into records: what every table and figure starts from."""

import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from autobeta import settings
from autobeta.errors import printable
from autobeta.reports._groups import Named, groups
from autobeta.reports._read import READERS, read, read_config
from autobeta.run import folder

MAX_POINTS = 1000


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run as its folder tells it; what the folder lacks is empty."""

    path: Path
    name: str  # the folder's name, with its parent's where two runs share one
    data: str  # with what tells them from others of the same name
    group: str  # names all that changes a result but the seed
    label: str  # the group's short name: the method and the settings that tell it from others
    config: dict[str, Any]
    identity: dict[str, Any]  # what of it changes the run's result, as `settings.identity` has it
    environment: dict[str, Any]  # versions, device and the like
    log: list[dict[str, Any]]  # its lines, in order of step
    metrics: dict[str, Any]  # empty where the run was not evaluated
    evaluations: list[dict[str, Any]]  # those before the end, in order of step
    damage: list[str]  # sentences about files that can't be read, and are taken for missing

    @property
    def method(self) -> str:
        """Name of the method."""
        return printable(self.identity["method"])

    @property
    def steps(self) -> int | None:
        """Number of steps the run was asked for."""
        return self.identity.get("train.steps")

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return self.identity.get("train.seed")

    @property
    def sample(self) -> tuple[int | None, int | None]:
        """Number of images that the run was evaluated on, and the step."""
        return self.metrics.get("num_points"), self.metrics.get("step") or self.steps

    @property
    def stopped_at(self) -> int | None:
        """The step at which its patience ended it early; None if it did not."""
        found = self.config.get("stopped_at")
        return found if type(found) is int else None

    @property
    def finished(self) -> bool:
        """Whether the trained network is there, of all steps: a run may have been extended."""
        if not (self.path / folder.MODEL).exists():
            return False
        known = [row["step"] for row in self.log[-1:]] + [self.metrics.get("step")]
        steps = [step for step in known if step is not None]
        return self.stopped_at is not None or not steps or max(steps) >= (self.steps or 0)

    @property
    def evaluation(self) -> dict[str, dict[str, Any]]:
        """Losses of the trained model by split of the data, `train` and perhaps `test`."""
        splits = self.metrics.get("evaluation") or {}
        return {split: losses for split, losses in splits.items() if losses}

    @property
    def bounds(self) -> dict[str, float]:
        """Bounds of beta of its controller, as `control.tracking` takes them."""
        return settings.bounds_of(self.config)

    @property
    def is_controlled(self) -> bool:
        """Whether a controller bounds its beta."""
        return math.isfinite(self.bounds["beta_min"])

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of a file of pictures; empty where it is not there or damaged."""
        return read(self.path / name, READERS[name], []) or {}


def load_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """Read run folders, in the given order; a folder given twice is read once.

    A damaged file is taken for a missing one, with a warning; only the configuration is needed. A
    folder that holds no run is a FileNotFoundError, no folder at all a ValueError.
    """
    found, left_out = find_runs(paths)
    for path, error in left_out.items():
        text = f"`{path}` must be a run folder; {error} Make one with `autobeta train`."
        raise type(error)(text)
    return found


def find_runs(paths: Sequence[Path]) -> tuple[list[RunRecord], dict[Path, Exception]]:
    """The runs among some paths, as `load_runs` reads them, and why each other path is none."""
    if not paths:
        raise ValueError("`runs` must be at least one run folder; got none. Name a run folder.")
    configs: dict[Path, dict[str, Any]] = {}
    left_out: dict[Path, Exception] = {}
    for path in paths:
        if path.suffix in (".json", ".log") and (path.with_suffix("") / folder.CONFIG).exists():
            continue  # of a study, which keeps them beside its run folders
        if not os.path.lexists(path):
            raise FileNotFoundError(f"`runs` must be run folders; there is nothing at `{path}`.")
        place = Path(os.path.realpath(path))
        damage: list[str] = []
        if config := read(place / folder.CONFIG, read_config, damage):
            configs[place] = config
        elif damage:
            left_out[path] = ValueError(f"its {damage[0]}")
        else:
            left_out[path] = FileNotFoundError(f"it has no {folder.CONFIG}.")
    apart = (n for n in count(1) if len({p.parts[-n:] for p in configs}) == len(configs))
    depth = next(apart)  # names as long as tell the folders apart
    named = groups(list(configs.values()), ["/".join(p.parts[-depth:]) for p in configs])
    return [_record(p, c, n) for (p, c), n in zip(configs.items(), named, strict=True)], left_out


def _record(path: Path, config: dict[str, Any], names: Named) -> RunRecord:
    damage: list[str] = []
    log, evaluations = (_lines(path / name, damage) for name in (folder.LOG, folder.EVALUATIONS))
    texts = {name: printable(text) for name, text in names._asdict().items()}
    found = RunRecord(
        path=path,
        config=config,
        identity=settings.identity(config),
        environment=read(path / folder.ENVIRONMENT, folder.read_json, damage) or {},
        log=log,
        metrics=read(path / folder.METRICS, folder.read_metrics, damage) or {},
        evaluations=evaluations,
        damage=damage,
        **texts,
    )
    for file, reader in READERS.items():
        read(path / file, reader, damage)
    for sentence in damage:
        warnings.warn(f"{found.name}: {sentence}", stacklevel=4)
    return found


def _lines(path: Path, damage: list[str]) -> list[dict[str, Any]]:
    """Lines of a log that can be read; that there are others is added to `damage`."""
    rows, bad = read(path, folder.log_lines, damage) or ([], [])
    if bad:
        lines = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        damage.append(f"`{path.name}` is damaged; left out of it: line {lines}.")
    return rows


def missing(run: RunRecord) -> list[str]:
    """What is damaged in the run's folder and what it lacks, as plain sentences."""
    reached = f": step {run.log[-1]['step']} of {run.steps} was logged last" if run.log else ""
    said = {
        folder.LOG: "Nothing is logged yet, so it has no curves.",
        folder.METRICS: "It was not evaluated, so it has no losses on the evaluation sample and "
        "no scores.",
        folder.RECONSTRUCTIONS: "There are no reconstructions.",
        folder.TRAVERSALS: "There are no traversals and no prior samples.",
        folder.ENVIRONMENT: "Its versions and device were not recorded.",
    }
    found = [] if run.finished else [f"Training has not finished{reached}."]
    found += [sentence for file, sentence in said.items() if not (run.path / file).exists()]
    if run.stopped_at is not None:
        found.append(
            f"It was stopped early, at step {run.stopped_at} of {run.steps}, by its patience."
        )
    end, scored = run.stopped_at or run.steps, run.metrics.get("step")
    if run.finished and None not in (end, scored) and scored != end:
        found.append(
            f"Its scores and pictures are of step {scored}, its network is of step {end}. Run "
            "`autobeta evaluate` on it."
        )
    if run.metrics and not run.metrics.get("metrics"):
        found.append("No disentanglement score was computed.")
    return run.damage + found


def curve(
    run: RunRecord, value: Callable[[dict[str, Any]], float | int | None], most: int = MAX_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one logged quantity where it is, thinned to at most `most` points.

    Of every stretch of a long log the lowest and the highest value stay, so no spike is lost.
    """
    points = [(row["step"], v) for row in run.log if (v := value(row)) is not None]
    steps, values = np.array(points, dtype=float).reshape(-1, 2).T
    if len(steps) <= most:
        return steps, values
    keep = {0, len(steps) - 1}
    for part in np.array_split(np.arange(len(steps)), most // 2 - 1):
        keep |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    return steps[sorted(keep)], values[sorted(keep)]
