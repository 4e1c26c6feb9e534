"""What a study asks for: a TOML file, or the same as a dictionary, with every name checked.

methods = ["betavae", "dynamicvae"]     # and data = [...], seeds = "0-4" or [0, 1]
[train]                                 # as in `autobeta train`; so [model], [options] (of the
steps = 30_000                          # data) and [evaluation]
[method.betavae]                        # only for this method; [[method.betavae]] more than
beta = [1, 4, 8]                        # once: one after the other. A list is a grid.
[dataset.scenes3d.train]                # only for these data, and so
steps = 20_000                          # [dataset.scenes3d.method.betavae]
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.settings import DataOptions, EvaluationConfig
from autobeta.study._checks import (
    PARTS,
    StudyFileError,
    alternatives,
    check_keys,
    check_methods,
    check_name,
    check_part,
    evaluation_of,
    fields,
    found_data,
    line_of,
    names,
    seeds_of,
    tables,
)

Layer = dict[str, Any]
"""Settings by dotted name, such as `train.steps`; a list is a grid."""

_KEYS = ["title", "source", "methods", "data", "seeds", "logger", "method", "dataset"]
_KEYS += ["evaluation", *PARTS]


class Definition(NamedTuple):
    """A checked study.

    Args:
        document: As it was given.
        methods: Names of methods.
        data: Names or paths of data.
        seeds: Seeds of the runs.
        evaluation: How each run is evaluated.
    """

    document: dict[str, Any]
    methods: list[str]
    data: list[str]
    seeds: list[int]
    evaluation: EvaluationConfig


def read_definition(path: Path) -> Definition:
    """Read a study file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no TOML, or something in it is unknown or breaks its rule; the message
            names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`study` must be a file; there is none at {path}. Name another.")
    text = path.read_text("utf-8")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"`{path}` must be TOML; {error}. Correct it.") from error
    try:
        return define(document, folder=path.parent)
    except StudyFileError as error:
        line = line_of(text, error.places)
        where = f"{path}, line {line}" if line else str(path)
        raise ValueError(f"{where}: {error}") from error


def define(document: Mapping[str, Any], folder: Path = Path()) -> Definition:
    """Check a study: names of keys, methods, data and settings, and its seeds.

    Args:
        document: As a study file holds it.
        folder: Where paths of data begin.

    Raises:
        StudyFileError: If something is unknown or breaks its rule.
    """
    check_keys(document, _KEYS, [])
    methods = names(document, "methods")
    for method in methods:
        check_name("methods", method, ["methods"])
    data = [found_data(name, folder) for name in names(document, "data", ["dsprites"])]
    for part, kind in PARTS.items():
        check_part(document.get(part, {}), kind, [part])
    check_methods(document.get("method", {}), methods, ["method"])
    for name, table in tables(document.get("dataset", {}), ["dataset"]):
        place = ["dataset", name]
        if name not in names(document, "data", ["dsprites"]):
            raise StudyFileError(
                f"`dataset.{name}` must be one of the study's data; these are {', '.join(data)}. "
                "Add it to `data`.",
                place,
            )
        own = {field.name for field in dataclasses.fields(DataOptions)}
        check_keys(table, ("train", "model", "method", *own), place)
        for part in ("train", "model"):
            check_part(table.get(part, {}), PARTS[part], [*place, part])
        check_methods(table.get("method", {}), methods, [*place, "method"])
    evaluation = evaluation_of(document.get("evaluation", {}))
    seeds = seeds_of(document.get("seeds", [0]))
    return Definition(dict(document), methods, data, seeds, evaluation)


def layers(definition: Definition, method: str, data: str) -> Iterator[Layer]:
    """Settings of a method on data, one layer for each of its alternatives; defaults left out.

    A later table wins over an earlier one: common settings, those of the data, those of the
    method, those of the method on the data.
    """
    document = definition.document
    common = _flat({part: document.get(part, {}) for part in PARTS})
    name = names(document, "data", ["dsprites"])[definition.data.index(data)]
    own = document.get("dataset", {}).get(name, {})
    options = {k: v for k, v in own.items() if k not in ("train", "model", "method")}
    parts = {part: own.get(part, {}) for part in ("train", "model")}
    of_data = _flat({"options": options, **parts})
    for table in alternatives(document.get("method", {}).get(method, {})):
        for special in alternatives(own.get("method", {}).get(method, {})):
            layer: Layer = {**common, **of_data}
            for found in (table, special):
                layer |= _of_method(method, found)
            yield layer


def _of_method(method: str, table: Mapping[str, Any]) -> Layer:
    """A method's table as a layer: its preset, then its own settings."""
    own = {key: value for key, value in table.items() if key not in (*PARTS, "preset")}
    preset: Layer = {}
    if (name := table.get("preset")) is not None:
        parts = {field.name: part for part, kind in PARTS.items() for field in fields(kind)}
        published = registry.load("methods", method).PRESETS[name]
        preset = {f"{parts.get(k, 'method')}.{k}": v for k, v in published.items()}
    return preset | _flat({"method": own, **{part: table.get(part, {}) for part in PARTS}})


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> Layer:
    return {f"{part}.{key}": v for part, table in tables.items() for key, v in table.items()}
