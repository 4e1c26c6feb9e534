"""Reads run folders into records: what every table and figure starts from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.run import folder as runs

MAX_POINTS = 1000


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as its folder tells it; what the folder lacks is empty.

    Attributes:
        path: The folder.
        name: The folder's name, with its parent's where two runs share one.
        group: Names all settings but the seed; runs that differ only by seed share it.
        label: The group's short name: the method and the settings that tell it from the others.
        config: Contents of the configuration file.
        environment: Versions, device and the like; empty where there is no such file.
        log: Lines of the log, in order of step.
        metrics: Contents of the metrics file; empty where the run was not evaluated.
    """

    path: Path
    name: str
    group: str
    label: str
    config: dict[str, Any]
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    metrics: dict[str, Any]

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.config.get("method", "unknown method"))

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(_section(self.config, "data").get("name", "unknown data"))

    @property
    def steps(self) -> int | None:
        """Number of steps the run was asked for."""
        return _section(self.config, "train").get("steps")

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return _section(self.config, "train").get("seed")

    @property
    def evaluation(self) -> dict[str, dict[str, Any]]:
        """Losses of the trained model by part of the data, `train` and perhaps `test`."""
        parts = self.metrics.get("evaluation") or {}
        return {part: losses for part, losses in parts.items() if losses}

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of one NPZ file of the folder; empty where there is no such file."""
        path = self.path / name
        return runs.read_npz(path) if path.exists() else {}


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """Read run folders, in the given order; a folder given twice is read once.

    Args:
        paths: Run folders, finished or not.

    Returns:
        One record per folder.

    Raises:
        ValueError: If no folder is given, or a file cannot be read.
        FileNotFoundError: If a folder holds no run.
    """
    folders = list(dict.fromkeys(path.resolve() for path in paths))
    if not folders:
        raise ValueError("`runs` must be at least one run folder; got none. Name a run folder.")
    configs = [runs.read_config(folder) for folder in folders]
    names = _names(folders)
    labels = _labels(configs, names)
    return [
        Run(
            path=folder,
            name=name,
            group=_group(config),
            label=labels[_group(config)],
            config=config,
            environment=_json(folder / runs.ENVIRONMENT),
            log=runs.read_jsonl(folder / runs.LOG),
            metrics=_json(folder / runs.METRICS),
        )
        for folder, config, name in zip(folders, configs, names, strict=True)
    ]


def missing(run: Run) -> list[str]:
    """What the run's folder lacks, as plain sentences; empty for a finished, evaluated run."""
    found = []
    last = run.log[-1]["step"] if run.log else None
    unfinished = not (run.path / runs.MODEL).exists()
    if not run.log:
        found.append("Nothing is logged yet, so it has no curves.")
    if unfinished:
        reached = "" if last is None else f": step {last} of {run.steps} was logged last"
        found.append(f"Training has not finished{reached}.")
    if not run.metrics:
        found.append(
            "It was not evaluated, so it has no losses on the evaluation sample and no scores."
        )
    elif not run.metrics.get("metrics"):
        found.append("No disentanglement score was computed.")
    if not (run.path / runs.RECONSTRUCTIONS).exists():
        found.append("There are no reconstructions.")
    if not (run.path / runs.TRAVERSALS).exists():
        found.append("There are no traversals and no prior samples.")
    if not run.environment:
        found.append("Its versions and device were not recorded.")
    return found


def curve(
    run: Run, value: Callable[[dict[str, Any]], float | int | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one logged quantity, thinned to at most `MAX_POINTS` points.

    Lines without the quantity are left out. Of every stretch of a long log the lowest and the
    highest value stay, so that no spike is lost.
    """
    points = [(row["step"], v) for row in run.log if (v := value(row)) is not None]
    steps, values = np.array(points, dtype=float).reshape(-1, 2).T
    if len(steps) <= MAX_POINTS:
        return steps, values
    keep = {0, len(steps) - 1}
    for part in np.array_split(np.arange(len(steps)), MAX_POINTS // 2 - 1):
        keep |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    kept = sorted(keep)
    return steps[kept], values[kept]


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level, keys joined by dots, values as JSON text.

    Example:
        >>> flatten({"train": {"lr": 0.1, "amp": None}, "method": "vae"})
        {'train.lr': '0.1', 'train.amp': 'null', 'method': 'vae'}
    """
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= flatten(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = (
                item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
            )
    return flat


def _json(path: Path) -> dict[str, Any]:
    return runs.read_json(path) if path.exists() else {}


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in flatten(config).items() if key != "train.seed"}


def _group(config: Mapping[str, Any]) -> str:
    return json.dumps(_settings(config), sort_keys=True)


def _names(folders: Sequence[Path]) -> list[str]:
    depth = 1
    while len({folder.parts[-depth:] for folder in folders}) < len(folders):
        depth += 1
    return ["/".join(folder.parts[-depth:]) for folder in folders]


def _labels(configs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, str]:
    """Short name of every group: its method, its data and the settings that differ within them.

    More than three such settings, or 60 letters, are too long: the first run's name is taken.
    """
    first: dict[str, str] = {}
    for config, name in zip(configs, names, strict=True):
        first.setdefault(_group(config), name)
    flat = {_group(config): _settings(config) for config in configs}
    data_names = {settings.get("data.name") for settings in flat.values()}
    labels = {}
    for group, own in flat.items():
        base = (own.get("method"), own.get("data.name"))
        peers = [s for s in flat.values() if (s.get("method"), s.get("data.name")) == base]
        keys = [k for k in own if own[k] != "{}" and len({peer.get(k) for peer in peers}) > 1]
        label = own.get("method", "unknown method")
        label += f" on {own.get('data.name')}" if len(data_names) > 1 else ""
        label += "".join(f", {key.rpartition('.')[2]}={own[key]}" for key in keys)
        labels[group] = label if len(keys) <= 3 and len(label) <= 60 else first[group]
    if len(set(labels.values())) < len(labels):
        return first
    return labels
