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
from autobeta.study._place import StudyFileError

MOST = 100_000
"""Runs of a study; a larger one is a mistake."""
_DEEPEST = 8  # dataset.NAME.method.NAME.train.lr and lists of lists
PARTS: dict[str, Any] = {"train": TrainConfig, "model": ModelConfig, "options": DataOptions}


def check_plain(found: Any, place: list[str], depth: int = 0) -> None:  # noqa: ANN401
    """Refuse what no study holds: keys that are no texts, endless nesting, huge numbers."""
    if depth > _DEEPEST:
        raise StudyFileError(
            f"`{'.'.join(place)}` must be nested at most {_DEEPEST} deep; it goes deeper. Give "
            "values, or lists of them.",
            place,
        )
    if isinstance(found, Mapping):
        for key, value in found.items():
            if not isinstance(key, str):
                where = f"`{'.'.join(place)}`" if place else "a study"
                raise StudyFileError(
                    f"{where} must have texts as keys; got {key!r}. Write it in quotes.", place
                )
            check_plain(value, [*place, key], depth + 1)
    elif isinstance(found, list | tuple):
        for value in found:
            check_plain(value, place, depth + 1)
    elif isinstance(found, int) and not -(2**63) <= found < 2**63:
        raise StudyFileError(
            f"`{'.'.join(place)}` must be a number of at most 64 bits; got a larger one. Give a "
            "smaller one.",
            place,
        )


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
            if preset is not None:
                check_preset(preset, method, module.PRESETS, [*place, method, "preset"])


def check_preset(
    preset: Any,  # noqa: ANN401
    method: str,
    known: Mapping[str, Any],
    place: list[str],
) -> None:
    if isinstance(preset, str) and preset in known:
        return
    near = difflib.get_close_matches(str(preset), known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Choose one, or leave it out."
    choices = ", ".join(known) or "none"
    raise StudyFileError(
        f"`preset` of {method} must be one of {choices}; got {preset!r}. {hint}", place
    )


def check_part(table: Any, kind: type, place: list[str]) -> None:  # noqa: ANN401
    if not isinstance(table, Mapping):
        name = ".".join(place)
        raise StudyFileError(f"`{name}` must be a table; got {table!r}. Write [{name}].", place)
    check_keys(table, [field.name for field in fields(kind)], place)
    if place[-1] == "train" and "seed" in table:
        raise StudyFileError(
            "`train.seed` must be left out; set `seeds` of the study.", [*place, "seed"]
        )


def tables(
    found: Any,  # noqa: ANN401
    place: list[str],
    *,
    several: bool = False,
) -> Iterator[tuple[str, Any]]:
    if not isinstance(found, Mapping):
        check_part(found, object, place)
    for name, table in found.items():
        rows = table if several and isinstance(table, list) and table else [table]
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


def check_text(document: Mapping[str, Any], key: str) -> None:
    if not isinstance(found := document.get(key, ""), str):
        raise StudyFileError(f"`{key}` must be a text; got {found!r}. Put it in quotes.", [key])


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
    try:
        path = (folder / Path(name).expanduser()).resolve()
        there = bool(name) and path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a null byte
        raise StudyFileError(
            f"`data` must be names of data sets, or paths; got {name!r}: {error}. Correct the "
            "path.",
            ["data"],
        ) from error
    if there:
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
    seeds: dict[int, None] = {}
    for text in texts if isinstance(texts, list | tuple) else []:
        own = _range_of(text)
        if not own:
            seeds = {}
            break
        if len(seeds) + len(own) > MOST:
            raise StudyFileError(
                f"`seeds` must be at most {MOST:,}; got more. Give fewer.", ["seeds"]
            )
        seeds |= dict.fromkeys(own)
    if not seeds:
        raise StudyFileError(
            f'`seeds` must be whole numbers from 0, or a range such as "0-4"; got {found!r}. Give '
            "at least one.",
            ["seeds"],
        )
    return list(seeds)


def _range_of(text: Any) -> range:  # noqa: ANN401
    """The seeds of one entry; empty if it is none."""
    is_one = isinstance(text, str | int) and not isinstance(text, bool)
    match = re.fullmatch(r"([0-9]{1,19})(?:-([0-9]{1,19}))?", str(text)) if is_one else None
    if match is None:
        return range(0)
    first, last = int(match[1]), int(match[2] or match[1])
    # a range of more than any study has need not be counted, and may be too long for `len`
    return range(first, min(last, first + MOST) + 1) if last < 2**63 else range(0)


def fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:  # noqa: ANN401 - a dataclass
    return dataclasses.fields(kind)


def alternatives(found: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a table or several
    return found if isinstance(found, list) and found else [found or {}]
