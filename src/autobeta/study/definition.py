"""What a study asks for: a TOML file, or the same as a dictionary, with every name checked.

methods = ["betavae", "dynamicvae"]     # and data = [...], seeds = "0-4" or [0, 1], logger,
# title, source
[train]                                 # as in `autobeta train`; so [model], [options] (of the
steps = 30_000                          # data) and [evaluation]
[method.betavae]                        # only for this method; [[method.betavae]] more than
beta = [1, 4, 8]                        # once: one after the other. A list is a grid.
[dataset.scenes3d.train]                # only for these data, and so
steps = 20_000                          # [dataset.scenes3d.method.betavae]
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.settings import DataOptions, EvaluationConfig
from autobeta.study._checks import (
    PARTS,
    alternatives,
    check_keys,
    check_methods,
    check_name,
    check_part,
    check_plain,
    check_text,
    evaluation_of,
    fields,
    found_data,
    names,
    seeds_of,
    tables,
)
from autobeta.study._place import StudyFileError, located

__all__ = ["Definition", "StudyFileError", "define", "layers", "located", "narrowed"]
__all__ += ["of_length", "read_definition"]

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
        logger: Names of who else follows each run.
        folder: Where its paths begin.
    """

    document: dict[str, Any]
    methods: list[str]
    data: list[str]
    seeds: list[int]
    evaluation: EvaluationConfig
    logger: list[str]
    folder: Path


def read_definition(path: Path) -> Definition:
    """Read a study file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no TOML, or something in it is unknown or breaks its rule; the message
            names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`study` must be a file; there is none at {path}. Name another.")
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except RecursionError:
        raise ValueError(f"`{path}` must be TOML; it is nested too deeply. Correct it.") from None
    except ValueError as error:  # of TOML, of UTF-8, or of a number with thousands of digits
        raise ValueError(f"`{path}` must be TOML; {error}. Correct it.") from error
    with located(path):
        return define(document, folder=path.parent)


def define(document: Any, folder: Path = Path()) -> Definition:  # noqa: ANN401
    """Check a study: names of keys, methods, data and settings, and its seeds.

    Args:
        document: As a study file holds it.
        folder: Where paths of data begin.

    Raises:
        StudyFileError: If something is unknown or breaks its rule.
    """
    if not isinstance(document, Mapping):
        raise StudyFileError(f"a study must be a table; got {document!r}. Give a dictionary.")
    check_plain(document, [])
    check_keys(document, _KEYS, [])
    for key in ("title", "source"):
        check_text(document, key)
    methods = names(document, "methods")
    for method in methods:
        check_name("methods", method, ["methods"])
    data = [found_data(name, folder) for name in names(document, "data", ["dsprites"])]
    if twice := [place for place in data if data.count(place) > 1]:
        given = [n for n in names(document, "data") if found_data(n, folder) == twice[0]]
        raise StudyFileError(
            f"`data` must name a place once; {twice[0]} is {' and '.join(given)}. Leave one out.",
            ["data"],
        )
    for part, kind in PARTS.items():
        check_part(document.get(part, {}), kind, [part])
    check_methods(document.get("method", {}), methods, ["method"])
    _check_data(document, methods)
    evaluation = evaluation_of(document.get("evaluation", {}))
    logger = names(document, "logger") if document.get("logger") else []
    for name in logger:
        check_name("training/callbacks", name, ["logger"])
    seeds = seeds_of(document.get("seeds", [0]))
    return Definition(dict(document), methods, data, seeds, evaluation, logger, folder)


def _check_data(document: Mapping[str, Any], methods: list[str]) -> None:
    """Refuse tables of data that the study has not, and unknown keys in the others."""
    data = names(document, "data", ["dsprites"])
    options = [field.name for field in dataclasses.fields(DataOptions)]
    for name, table in tables(document.get("dataset", {}), ["dataset"]):
        place = ["dataset", name]
        if name not in data:
            raise StudyFileError(
                f"`dataset.{name}` must be one of the study's data; these are {', '.join(data)}. "
                "Add it to `data`.",
                place,
            )
        check_keys(table, ("train", "model", "method", *options), place)
        for part in ("train", "model"):
            check_part(table.get(part, {}), PARTS[part], [*place, part])
        check_methods(table.get("method", {}), methods, [*place, "method"])


def narrowed(
    document: Mapping[str, Any], *, methods: Sequence[str] = (), data: Sequence[str] = ()
) -> dict[str, Any]:
    """A study of other methods or data, without the tables of those that it has no more."""
    found = dict(document)
    if methods:
        found["methods"] = list(methods)
        found["method"] = _only(document.get("method", {}), methods)
    if data:
        found["data"] = list(data)
        found["dataset"] = _only(document.get("dataset", {}), data)
    if methods and "dataset" in found:
        found["dataset"] = {
            name: table | {"method": _only(table.get("method", {}), methods)}
            for name, table in found["dataset"].items()
        }
    return found


def of_length(document: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """A study all of whose runs have so many steps."""
    found: dict[str, Any] = _without_steps(document)
    return found | {"train": {**found.get("train", {}), "steps": steps}}


def _without_steps(found: Any, place: str = "") -> Any:  # noqa: ANN401
    if isinstance(found, list):
        return [_without_steps(value) for value in found]
    if not isinstance(found, Mapping):
        return found
    kept = {key: value for key, value in found.items() if (place, key) != ("train", "steps")}
    return {key: _without_steps(value, key) for key, value in kept.items()}


def _only(table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name in names}


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
