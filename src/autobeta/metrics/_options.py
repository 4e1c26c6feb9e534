"""Ranges of the options of metrics, checked where an option is given and where a name is read."""

from collections.abc import Mapping
from numbers import Integral, Real

Range = tuple[float, float]

SEED = (0, 2**32 - 1)


def check_options(ranges: Mapping[str, Range], seed: int, **values: float) -> None:
    """Refuse a seed, or an option of a metric, that is out of its range.

    Raises:
        TypeError: If a value is not a number, or not a whole one where the range is.
        ValueError: If a value is out of its range; NaN always is.

    Example:
        >>> check_options({"bins": (2, 10_000)}, seed=0, bins=20)
    """
    check_option("seed", seed, SEED)
    for name, value in values.items():
        check_option(name, value, ranges[name])


def check_option(name: str, value: float, ends: Range) -> None:
    """Refuse one option that is out of its range.

    Raises:
        TypeError: If it is not a number, or not a whole one where the range is.
        ValueError: If it is out of its range; NaN always is.
    """
    low, high = ends
    kind, words = (Integral, "a whole number") if isinstance(low, int) else (Real, "a number")
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {words}; got {value!r}.")
    if not low <= value <= high:
        raise ValueError(f"`{name}` must be in [{low:,}, {high:,}]; got {value}.")
