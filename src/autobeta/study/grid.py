"""From a study's definition to its runs: the grid of methods, data, seeds and settings."""

import hashlib
import itertools
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.rules import from_stored
from autobeta.settings import RunConfig, identity
from autobeta.study._checks import PARTS, StudyFileError
from autobeta.study.definition import Definition, Layer, layers

MOST = 100_000
"""A larger grid is a mistake."""


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
        StudyFileError: If a setting breaks its rule, or there are no runs or too many.
    """
    found: dict[str, PlannedRun] = {}
    count = 0
    for data, method in itertools.product(definition.data, definition.methods):
        for layer in layers(definition, method, data):
            for settings in _grid(layer, method):
                count += len(definition.seeds)
                if count > MOST:
                    raise StudyFileError(
                        f"a study must have at most {MOST:,} runs; this one has more. Leave out "
                        "some of its lists or seeds.",
                        ["method"],
                    )
                first = scaled(_config(method, data, settings), scale)
                for seed in definition.seeds:
                    config = replace(first, train=replace(first.train, seed=seed))
                    run = PlannedRun(run_name(config), config)
                    found.setdefault(run.name, run)
    order = {seed: place for place, seed in enumerate(definition.seeds)}
    return sorted(found.values(), key=lambda run: order[run.config.train.seed])


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
    own = {key: value for key, value in whole.items() if usual.get(key) != value}
    own |= {"method": config.method, "data.name": config.data}
    seed = own.pop("train.seed", 0)
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", PurePath(config.data).stem)[:40]
    return f"{config.method}-{stem}-{digest}-s{seed}"


def scaled(config: RunConfig, factor: float) -> RunConfig:
    """A run of another length, with its method's settings in steps changed alike."""
    if factor == 1:
        return config
    own = config.method_config
    hints = typing.get_type_hints(type(own), include_extras=True)
    counted = [key for key, hint in hints.items() if "steps" in getattr(hint, "__metadata__", ())]
    shorter = {key: _times(getattr(own, key), factor) for key in counted}
    steps = _times(config.train.steps, factor)
    train = replace(config.train, steps=steps)
    return replace(config, train=train, method_config=replace(own, **shorter))


def _times(number: int, factor: float) -> int:
    return max(1, round(number * factor)) if number else number


def _grid(layer: Layer, method: str) -> Iterator[Layer]:
    """A layer for each combination of the values that its lists have."""
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
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _nested(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(item, list) for item in value)


def _config(method: str, data: str, settings: Layer) -> RunConfig:
    kinds = {**PARTS, "method": registry.load("methods", method).Config}
    made = {}
    for part, kind in kinds.items():
        own = {k.split(".", 1)[1]: v for k, v in settings.items() if k.startswith(f"{part}.")}
        for key, value in own.items():  # each on its own, to know which is refused
            _made(kind, {key: value}, *_places(f"{part}.{key}", method))
        made[part] = _made(kind, own, ["method", method])
    parts = {"model": made["model"], "train": made["train"], "data_options": made["options"]}
    return RunConfig(method=method, method_config=made["method"], data=data, **parts)


def _made(kind: type, settings: dict[str, Any], *places: list[str]) -> Any:  # noqa: ANN401
    try:
        return from_stored(kind, settings)
    except ValueError as error:
        raise StudyFileError(str(error), *places) from error


def _places(name: str, method: str) -> list[list[str]]:
    """Where in a study file a setting may stand."""
    part, key = name.split(".", 1)
    own = [key] if part == "method" else [part, key]
    of_data = [key] if part == "options" else [part, key]
    places = [["method", method, *own], ["dataset", "*", "method", method, *own]]
    return [*places, [part, key], ["dataset", "*", *of_data]]
