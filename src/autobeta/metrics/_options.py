"""Ranges of the options of metrics, checked where an option is given and where a name is read."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import cast

Number = float | int
Range = tuple[Number, Number]


def check_options(ranges: Mapping[str, Range], seed: int, **values: Number) -> None:
    """Refuse a seed or an option out of its range, which is of whole numbers if its ends are."""
    for name, value in {"seed": seed, **values}.items():
        low, high = ranges[name] if name in values else (0, 2**32 - 1)
        whole = isinstance(low, int)
        kind = cast(type, Integral if whole else Real)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise TypeError(f"`{name}` must be a {'whole ' * whole}number; got {value!r}.")
        if not low <= value <= high:
            raise ValueError(f"`{name}` must be in [{low:,}, {high:,}]; got {value}.")
