"""Factors that users bring: columns of whole numbers, booleans or texts, numbered exactly."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from autobeta.data._core.factors import FactorSpace

LARGEST = 2**31  # values from here on are numbered
_MANY = 100  # values that a factor may have, however few the images


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Factors of images, None where there are none, and what was left out and why."""

    space: FactorSpace | None = None
    table: Int[np.ndarray, "images factors"] | None = None
    notes: tuple[str, ...] = ()


def labels_of(columns: Mapping[str, Sequence[Any] | np.ndarray]) -> Labels:
    """Factors from columns that were given as factors."""
    if not columns:
        return Labels()
    found = [numbered(name, values) for name, values in columns.items()]
    sizes = tuple(int(values.max(initial=0)) + 1 for values in found)
    return Labels(space=FactorSpace(tuple(columns), sizes), table=np.stack(found, axis=1))


def guessed(columns: Mapping[str, Sequence[Any]], where: str, *, declared: set[str]) -> Labels:
    """Factors among the columns of a table that has others too; those left out are noted.

    Left out are fractions, columns of one value, and what looks like an identifier: values that
    are all different, or more than a tenth as many as rows and more than 100. Columns that are
    `declared` to be labels are taken.
    """
    reasons = {name: None if name in declared else _unfit(columns[name]) for name in columns}
    notes = []
    for reason in filter(None, dict.fromkeys(reasons.values())):
        names = ", ".join(name for name in columns if reasons[name] == reason)
        notes.append(f"{where}: no factors: {names} ({reason}).")
    taken = {name: columns[name] for name in columns if reasons[name] is None}
    return replace(labels_of(taken), notes=tuple(notes))


def numbered(name: str, values: Sequence[Any] | np.ndarray) -> Int[np.ndarray, " images"]:
    """Factor values of a column.

    Whole numbers from 0 to below 2^31 stay as they are, and False and True are 0 and 1; other
    numbers and texts are numbered in their order, exactly, however large they are.

    Example:
        >>> numbered("x", [2**60, 2**60 + 1, -3]).tolist()
        [1, 2, 0]
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "iub" and values.min() >= 0 and values.max() < LARGEST:
            return values.astype(np.int64)
        values = values.tolist()
    exact: list[Any] = [_exact(name, value, row) for row, value in enumerate(values)]
    texts = [isinstance(value, str) for value in exact]
    if any(texts) and not all(texts):
        row = texts.index(not texts[0])
        raise ValueError(
            f"`{name}` must be all numbers or all texts; got {exact[0]!r} in row 0 and "
            f"{exact[row]!r} in row {row}. Write them all alike."
        )
    distinct = sorted(set(exact), key=natural if texts[0] else None)
    if not texts[0] and distinct[0] >= 0 and distinct[-1] < LARGEST:
        return np.array(exact, np.int64)
    places = {value: place for place, value in enumerate(distinct)}
    return np.array([places[value] for value in exact], np.int64)


def natural(text: str) -> tuple[Any, ...]:
    """Key that sorts numbers within texts by their value: "2.png" before "10.png".

    Example:
        >>> sorted(["10.png", "2.png"], key=natural)
        ['2.png', '10.png']
    """
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(part) if k % 2 else part for k, part in enumerate(parts)), text


def parsed(texts: Sequence[str]) -> Sequence[Any]:
    """The values of a text column: whole numbers, numbers, or texts; None where it is empty.

    "1_10" is a text: Python would read it as the number 110, and "11_0" too.
    """
    for kind in () if any("_" in text for text in texts) else (int, float):
        try:
            return [kind(text) if text else None for text in texts]
        except ValueError:
            continue
    return [text or None for text in texts]


def _exact(name: str, value: Any, row: int) -> int | str:  # noqa: ANN401
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    if value is None or value != value:
        raise ValueError(
            f"`{name}` must have a value in every row; got {value} in row {row}. Fill it in, or "
            "leave the column out."
        )
    raise ValueError(
        f"`{name}` must be whole numbers, booleans or texts; got {value!r} in row {row}. Put "
        "continuous values into numbered bins first, with numpy.digitize."
    )


def _unfit(values: Sequence[Any]) -> str | None:
    """Why a column is no factor; None if it may be one."""
    known = [value for value in values if value is not None]
    if any(isinstance(v, float) and not v.is_integer() and v == v for v in known):
        return "fractions"
    count = len(set(known))
    if count < 2:
        return "one value"
    if count == len(values) or count > max(_MANY, len(values) // 10):
        return "too many values, as an identifier has"
    return None
