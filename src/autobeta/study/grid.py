"""From a study's definition to its runs: the grid of methods, data, seeds and settings."""

import hashlib
import itertools
import json
import math
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.rules import Range, from_stored, hints_of
from autobeta.settings import OBJECT, RunConfig, identity
from autobeta.study._checks import MOST, PARTS
from autobeta.study._place import StudyFileError
from autobeta.study.definition import Definition, Layer, layers

_SCALES = Range(0, 1e6, above=True)


class PlannedRun(NamedTuple):
    """A run of a study: the name of its folder, and what is trained."""

    name: str
    config: RunConfig


def plan(definition: Definition, *, scale: float = 1.0) -> list[PlannedRun]:
    """The runs of a study, the first seed of everything before the second.

    Args:
        definition: Of the study.
        scale: Factor of all numbers of steps: the runs' lengths, and the methods' settings that
            are counted in steps.

    Raises:
        ValueError: If the scale is not positive, or too large.
        StudyFileError: If a setting breaks its rule, or there are too many runs.
    """
    if scale not in _SCALES:
        raise ValueError(
            f"`scale` must be {_SCALES}; got {scale}. 1 is the whole study, 0.02 a trial of it."
        )
    found: dict[str, PlannedRun] = {}
    count = 0
    for data, method in itertools.product(definition.data, definition.methods):
        for layer in layers(definition, method, data):
            axes = _axes(layer, method)
            count += math.prod(map(len, axes.values())) * len(definition.seeds)
            if count > MOST:
                raise StudyFileError(
                    f"a study must have at most {MOST:,} runs; this one has {count:,} or more. "
                    "Leave out some of its lists or seeds.",
                    ["method"],
                )
            for values in itertools.product(*axes.values()):
                settings = dict(zip(axes, values, strict=True))
                config = scaled(_config(definition, method, data, settings), scale)
                for run in _seeded(config, definition.seeds):
                    _check_other(found.setdefault(run.name, run), run, method)
    order = {seed: place for place, seed in enumerate(definition.seeds)}
    return sorted(found.values(), key=lambda run: order[run.config.train.seed])


def _check_other(known: PlannedRun, run: PlannedRun, method: str) -> None:
    """Refuse two runs that differ in how they are carried out alone: they have one folder."""
    one, other = (run.config.to_json()["train"] for run in (known, run))
    for key in [key for key in one if one[key] != other[key]]:
        raise StudyFileError(
            f"`train.{key}` must be one value for a run, whose result it doesn't change; got "
            f"{one[key]!r} and {other[key]!r}. Give one.",
            *_places(f"train.{key}", method),
        )


def _seeded(config: RunConfig, seeds: Sequence[int]) -> Iterator[PlannedRun]:
    """The same run with each of the seeds."""
    group = run_name(config).rpartition("-")[0]
    for seed in seeds:
        train = replace(config.train, seed=seed)
        yield PlannedRun(f"{group}-s{seed}", replace(config, train=train))


def run_name(config: RunConfig) -> str:
    """The folder's name of a run, from all that changes its result.

    Settings that have their default don't count, so that one which a later version adds renames
    no run. Images of one's own count by their path.

    Example:
        >>> run_name(RunConfig(method="betavae", data="toy")).rpartition("-")[0][:11]
        'betavae-toy'
    """
    usual = identity(RunConfig(method=config.method, data=config.data).to_json())
    whole = identity(config.to_json())
    own = {key: _plain(value) for key, value in whole.items() if usual.get(key) != value}
    own |= {"method": config.method, "data.name": config.data}
    seed = own.pop("train.seed", 0)
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:12]
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", PurePath(config.data).stem)[:40]
    return f"{config.method}-{stem}-{digest}-s{seed}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same for 8 and 8.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def scaled(config: RunConfig, factor: float) -> RunConfig:
    """A run of another length, with its method's settings in steps changed alike."""
    if factor == 1:
        return config
    train = _scaled(config.train, factor, steps=_times(config.train.steps, factor))
    return replace(config, train=train, method_config=_scaled(config.method_config, factor))


def _scaled(settings: Any, factor: float, **more: int) -> Any:  # noqa: ANN401 - of dataclasses
    hints = hints_of(type(settings)).items()
    counted = [key for key, hint in hints if "steps" in getattr(hint, "__metadata__", ())]
    return replace(settings, **more, **{k: _times(getattr(settings, k), factor) for k in counted})


def _times(number: int, factor: float) -> int:
    return max(1, round(number * factor)) if number else number


def _axes(layer: Layer, method: str) -> dict[str, list[Any]]:
    """The values that each setting takes; a list of them is a grid, anything else one value."""
    kinds = {**PARTS, "method": registry.load("methods", method).Config}
    axes = {}
    for name, value in layer.items():
        part, key = name.split(".", 1)
        hint = typing.get_type_hints(kinds[part], include_extras=False)[key]
        several = typing.get_origin(hint) is tuple
        is_grid = isinstance(value, list) and not (several and not _nested(value))
        if is_grid and not value:
            raise StudyFileError(
                f"`{name}` must have at least one value; got an empty list. Give one, or leave "
                "it out.",
                *_places(name, method),
            )
        axes[name] = value if is_grid else [value]
    return axes


def _nested(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(item, list) for item in value)


def _config(definition: Definition, method: str, data: str, settings: Layer) -> RunConfig:
    if isinstance(path := settings.get("options.path"), str):
        settings = {**settings, "options.path": _path(definition.folder, path, method)}
    kinds = {**PARTS, "method": registry.load("methods", method).Config}
    made = {}
    for part, kind in kinds.items():
        own = {k.split(".", 1)[1]: v for k, v in settings.items() if k.startswith(f"{part}.")}
        made[part] = _made(kind, own, part, method)
    parts = {"model": made["model"], "train": made["train"], "data_options": made["options"]}
    return RunConfig(method=method, method_config=made["method"], data=data, **parts)


def _path(folder: Path, given: str, method: str) -> Path:
    try:
        return (folder / Path(given).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a null byte, ~nobody
        raise StudyFileError(
            f"`path` must be a path; got {given!r}: {error}. Correct it.",
            *_places("options.path", method),
        ) from error


def _made(kind: type, settings: dict[str, Any], part: str, method: str) -> Any:  # noqa: ANN401
    try:
        if OBJECT in (settings.get("architecture"), settings.get("likelihood")):
            raise ValueError(f"`model` must have names; got {OBJECT!r}, which is none. Name one.")
        return from_stored(kind, settings)
    except ValueError as error:
        if len(settings) > 1:
            for key, value in settings.items():  # each on its own, to know which is refused
                _made(kind, {key: value}, part, method)
        raise StudyFileError(
            str(error), *(place for key in settings for place in _places(f"{part}.{key}", method))
        ) from error


def _places(name: str, method: str) -> list[list[str]]:
    """Where in a study file a setting may stand."""
    part, key = name.split(".", 1)
    own = [key] if part == "method" else [part, key]
    of_data = [key] if part == "options" else [part, key]
    places = [["method", method, *own], ["dataset", "*", "method", method, *own]]
    return [*places, [part, key], ["dataset", "*", *of_data]]
