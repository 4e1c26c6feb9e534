"""Checks of a study's definition: every key, name and kind of value, and where it stands."""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autobeta import registry
from autobeta.metrics import check_metrics
from autobeta.rules import from_stored
from autobeta.settings import DataOptions, EvaluationConfig, ModelConfig, TrainConfig

PARTS: dict[str, Any] = {"train": TrainConfig, "model": ModelConfig, "options": DataOptions}


class StudyFileError(ValueError):
    """Something in a definition is refused; each of `places` are keys that may lead to it."""

    def __init__(self, message: str, *places: Sequence[str]) -> None:
        super().__init__(message)
        self.places = places


def check_methods(found: Any, methods: Sequence[str], place: list[str]) -> None:  # noqa: ANN401
    for method, given in tables(found, place, several=True):
        check_name("methods", method, [*place, method])
        if method not in methods:
            raise StudyFileError(
                f"`{'.'.join([*place, method])}` must be one of the study's methods; these are "
                f"{', '.join(methods)}. Add it to `methods`.",
                [*place, method],
            )
        module = registry.load("methods", method)
        for table in alternatives(given):
            own = [field.name for field in fields(module.Config)]
            check_keys(table, ("preset", *PARTS, *own), [*place, method])
            for part, kind in PARTS.items():
                check_part(table.get(part, {}), kind, [*place, method, part])
            preset = table.get("preset")
            if preset is not None and preset not in module.PRESETS:
                known = ", ".join(module.PRESETS) or "none"
                raise StudyFileError(
                    f"`preset` of {method} must be one of {known}; got {preset!r}. Choose one, or "
                    "leave it out.",
                    [*place, method, "preset"],
                )


def check_part(table: Any, kind: type, place: list[str]) -> None:  # noqa: ANN401
    if not isinstance(table, Mapping):
        name = ".".join(place)
        raise StudyFileError(f"`{name}` must be a table; got {table!r}. Write [{name}].", place)
    check_keys(table, [field.name for field in fields(kind)], place)
    if place[-1] == "train" and "seed" in table:
        raise StudyFileError("`train.seed` must be left out; set `seeds` of the study.", place)


def tables(
    found: Any,  # noqa: ANN401
    place: list[str],
    *,
    several: bool = False,
) -> Iterator[tuple[str, Any]]:
    if not isinstance(found, Mapping):
        check_part(found, object, place)
    for name, table in found.items():
        rows = table if several and isinstance(table, list) else [table]
        for row in rows:
            if not isinstance(row, Mapping):
                check_part(row, object, [*place, name])
        yield name, table


def check_keys(table: Mapping[str, Any], known: Sequence[str], place: list[str]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            where = f"`{'.'.join(place)}`" if place else "a study"
            raise StudyFileError(
                f"{where} must have known keys, {', '.join(known)}; got {key!r}.{hint}",
                [*place, key],
            )


def check_name(folder: str, name: str, place: list[str]) -> None:
    try:
        registry.check_name(folder, name)
    except ValueError as error:
        raise StudyFileError(str(error), place) from error


def names(document: Mapping[str, Any], key: str, default: list[str] | None = None) -> list[str]:
    found = document.get(key, default or [])
    found = [found] if isinstance(found, str) else found
    fits = isinstance(found, Sequence) and all(isinstance(name, str) for name in found)
    if not fits or not found:
        raise StudyFileError(
            f"`{key}` must be at least one name; got {found!r}. List them: {key} = [...].", [key]
        )
    return list(dict.fromkeys(found))


def found_data(name: str, folder: Path) -> str:
    """A data set's name, or a path that is there."""
    if name in registry.available("data"):
        return name
    path = (folder / Path(name).expanduser()).resolve()
    if path.exists():
        return str(path)
    if "/" in name or "." in name:
        raise StudyFileError(
            f"`data` must be names of data sets, or paths; there is nothing at {path}. Correct "
            "the path.",
            ["data"],
        )
    check_name("data", name, ["data"])
    raise AssertionError(name)


def evaluation_of(table: Any) -> EvaluationConfig:  # noqa: ANN401
    check_part(table, EvaluationConfig, ["evaluation"])
    try:
        found: EvaluationConfig = from_stored(EvaluationConfig, table)
    except ValueError as error:
        key = next((key for key in table if f"`{key}`" in str(error)), "")
        raise StudyFileError(str(error), ["evaluation", key]) from error
    try:
        check_metrics(found.metrics or (), has_factors=True)
    except ValueError as error:
        raise StudyFileError(str(error), ["evaluation", "metrics"]) from error
    return found


def seeds_of(found: Any) -> list[int]:  # noqa: ANN401
    """Seeds from a list, or from a text such as "0-4" or "0-2 7"."""
    texts = found.split() if isinstance(found, str) else found
    texts = [texts] if isinstance(texts, int) else texts
    seeds: list[int] = []
    for text in texts if isinstance(texts, list) else []:
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", str(text))
        if match is None or isinstance(text, bool):
            seeds = []
            break
        first, last = int(match[1]), int(match[2] or match[1])
        seeds += range(first, min(last, first + 100_000) + 1)
    if not seeds:
        raise StudyFileError(
            f'`seeds` must be whole numbers, or a range such as "0-4"; got {found!r}. Give at '
            "least one.",
            ["seeds"],
        )
    return list(dict.fromkeys(seeds))


def fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:  # noqa: ANN401 - a dataclass
    return dataclasses.fields(kind)


def line_of(text: str, places: Sequence[Sequence[str]]) -> int | None:
    """The line of a study file where a key stands, or that of the table which holds it."""
    table: list[str] = []
    found: dict[tuple[bool, int], int] = {}  # whether it is the key itself, how deep; the line
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[{1,2}\s*([^\]]+?)\s*\]", line):
            whole = table = [part.strip(" \"'") for part in header[1].split(".")]
        elif key := re.match(r"\s*[\"']?([\w.-]+)[\"']?\s*=", line):
            whole = [*table, *key[1].split(".")]
        else:
            continue
        for place in places:
            if all(a in (b, "*") for a, b in zip(place, whole, strict=False)):
                depth = len(whole) if len(whole) <= len(place) else 0
                found.setdefault((depth == len(place), depth), number)
    return found[max(found)] if found else None


def alternatives(found: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a table or several
    return found if isinstance(found, list) and found else [found or {}]
