"""Rules of settings: they stand in the annotations of a dataclass and are read from there."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Range:
    """What a number must be: finite, and between two ends.

    Args:
        low: Lower end.
        high: Upper end.
        above: Whether the lower end itself is left out.
        below: Whether the upper end itself is left out.
    """

    low: int | float = -math.inf
    high: int | float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: int | float) -> bool:
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return low and high and -math.inf < value < math.inf

    def __str__(self) -> str:
        if math.isinf(self.low):
            return "finite"
        if math.isinf(self.high):
            if self.low == 0 and self.above:
                return "positive and finite"
            return f"{'above' if self.above else 'at least'} {self.low:g}"
        ends = ("(" if self.above else "[") + f"{self.low:g}, {self.high:g}"
        return f"in {ends}{')' if self.below else ']'}"


Count = Annotated[int, Range(1)]
Index = Annotated[int, Range(0)]
Seed = Annotated[int, Range(0, 2**63, below=True)]
Finite = Annotated[float, Range()]
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]


def check_settings(settings: Any) -> None:  # noqa: ANN401 - any dataclass of settings
    """Refuse a field that breaks the rule in its annotation.

    Raises:
        ValueError: If one does; the message names it, the rule and the default.
    """
    hints = get_type_hints(type(settings), include_extras=True)
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if (rule := broken_rule(hints[item.name], value)) is not None:
            default = item.default
            hint = "" if default is dataclasses.MISSING else f" The default is {default}."
            raise ValueError(f"`{item.name}` must be {rule}; got {value!r}.{hint}")


def broken_rule(hint: Any, value: Any) -> str | None:  # noqa: ANN401 - any annotation
    """The rule that a value breaks, in words; None if it keeps it."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        ranges = [rule for rule in args[1:] if isinstance(rule, Range)]
        word = broken_rule(args[0], value)
        if word is not None:
            return f"{word} {ranges[0]}" if ranges else word
        outside = [rule for rule in ranges if value not in rule]
        return str(outside[0]) if outside else None
    if origin is Literal:
        return None if value in args else f"one of {', '.join(map(str, args))}"
    if origin in (Union, UnionType):
        rules = [broken_rule(arg, value) for arg in args if arg is not NoneType]
        left_out = value is None and NoneType in args
        return None if left_out or None in rules else " or ".join(filter(None, rules))
    if origin is tuple:
        fits = isinstance(value, tuple) and all(broken_rule(args[0], v) is None for v in value)
        return None if fits else "several names"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if hint not in words:
        return None if hint is Any or isinstance(value, hint) else f"a {hint.__name__}"
    kinds = (int, float) if hint is float else hint
    fits = isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    return None if fits else words[hint]


def from_stored(kind: type, stored: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """A dataclass of settings from its JSON, checked before it is made."""
    hints = get_type_hints(kind, include_extras=True)
    given: dict[str, Any] = {}
    for key, value in stored.items():
        if key not in hints:
            raise ValueError(
                f"`config` must hold settings of this version; got {key} = {value!r} for "
                f"{kind.__module__}. Use the version that wrote it, or train again."
            )
        given[key] = tuple(value) if isinstance(value, list) else value
        if (rule := broken_rule(hints[key], given[key])) is not None:
            raise ValueError(f"`{key}` must be {rule}; got {value!r}. Correct the configuration.")
    return kind(**given)
