"""Rules of numbers and choices: they stand in annotations, `steps: Count`, and are read there.

`Settings` checks the fields of a dataclass, `checked` the arguments of a function.
"""

import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Range:
    """What a number must be: finite, and between two ends."""

    low: int | float = -math.inf
    high: int | float = math.inf
    above: bool = False
    """Whether the lower end itself is left out."""
    below: bool = False
    """Whether the upper end itself is left out."""

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


LARGEST = 1e300  # of a whole number, which may be any in Python: a float holds it
Count = Annotated[int, Range(1)]
Index = Annotated[int, Range(0)]
Steps = Annotated[int, Range(1), "steps"]  # a run that is scaled has these scaled alike
StepsOrNone = Annotated[int, Range(0), "steps"]
Seed = Annotated[int, Range(0, 2**63, below=True)]
Window = Annotated[int, Range(1, 10_000)]
Finite = Annotated[float, Range()]
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]
Share = Annotated[float, Range(0, 1, above=True)]
BelowOne = Annotated[float, Range(0, 1, below=True)]
LearningRate = Fraction
# float32 has to hold what a weight or a number of nats is multiplied with
Weight = Annotated[float, Range(0, 1e9)]
PositiveWeight = Annotated[float, Range(1e-9, 1e9)]
IntegralGain = Annotated[float, Range(-1e9, 0)]
Rise = Annotated[float, Range(1e-3, 1e9)]


class Settings:
    """Base of a dataclass of settings: a field that breaks its annotation's rule is refused."""

    def __post_init__(self) -> None:
        check_settings(self)


def check_settings(settings: Any) -> None:  # noqa: ANN401 - any dataclass of settings
    """Refuse a field that breaks the rule in its annotation.

    Raises:
        ValueError: If one does; the message names it, the rule and the default.
    """
    hints = hints_of(type(settings))
    for item in fields(settings):
        given = getattr(settings, item.name)
        if (value := _plain(given)) is not given:
            object.__setattr__(settings, item.name, value)
        if (rule := _broken_rule(hints[item.name], value)) is not None:
            raise ValueError(f"`{item.name}` must be {rule}; got {value!r}.{_hint(item.default)}")


def hints_of(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """Annotations of a dataclass with their rules, by name."""
    return _hints(kind)


@functools.cache  # reading them takes longer than checking
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def from_stored(kind: type, stored: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """A dataclass of settings from its JSON, checked before it is made.

    Raises:
        ValueError: If a setting is unknown, or breaks its rule.
    """
    hints = hints_of(kind)
    given: dict[str, Any] = {}
    for key, value in stored.items():
        if key not in hints:
            raise ValueError(
                f"`config` must hold settings of this version; got {key} = {value!r} for "
                f"{kind.__module__}. Use the version that wrote it, or train again."
            )
        given[key] = _of_kind(hints[key], value)
        if (rule := _broken_rule(hints[key], given[key])) is not None:
            raise ValueError(f"`{key}` must be {rule}; got {value!r}. Correct the configuration.")
    return kind(**given)


def _of_kind(hint: Any, value: Any) -> Any:  # noqa: ANN401
    """A list as a tuple, and a whole number as a float where one is meant: 8 is 8.0."""
    kinds = _kinds(hint)
    if value == "None" and NoneType in kinds:
        return None  # TOML has no word for it
    if isinstance(value, list):
        return tuple(value)
    if type(value) is int and float in kinds and abs(value) < 2**1000:
        return float(value)
    return value


def _kinds(hint: Any) -> set[Any]:  # noqa: ANN401
    """The bare kinds of value that an annotation allows."""
    args = typing.get_args(hint)
    if typing.get_origin(hint) is Annotated:
        return _kinds(args[0])
    if typing.get_origin(hint) in (Union, UnionType):
        return {kind for arg in args for kind in _kinds(arg)}
    return {hint} if isinstance(hint, type) else set()


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments that break the rule in their annotation: a `Range`, or choices.

    Example:
        >>> @checked
        ... def half(x: NonNegative) -> float:
        ...     return x / 2
        >>> half(-1.0)
        Traceback (most recent call last):
        ValueError: `x` must be at least 0; got -1.0.
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    ruled = {name: hint for name, hint in hints.items() if _has_rule(hint)}

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in ruled and (rule := _broken_rule(ruled[name], _plain(value))) is not None:
                hint = _hint(signature.parameters[name].default)
                raise ValueError(f"`{name}` must be {rule}; got {value!r}.{hint}")
        return function(*args, **kwargs)

    return call


def _has_rule(hint: Any) -> bool:  # noqa: ANN401
    """Whether an annotation holds a `Range` or choices."""
    if typing.get_origin(hint) in (Union, UnionType):
        return any(_has_rule(arg) for arg in typing.get_args(hint))
    return typing.get_origin(hint) is Literal or bool(_ranges(hint))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A number of another library, such as NumPy's, as Python's."""
    if isinstance(value, Real) and not isinstance(value, int | float):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


def _ranges(hint: Any) -> list[Range]:  # noqa: ANN401
    return [rule for rule in getattr(hint, "__metadata__", ()) if isinstance(rule, Range)]


def _hint(default: object) -> str:
    return "" if default in (MISSING, inspect.Parameter.empty) else f" The default is {default}."


def _said(rule: Range, value: int | float) -> str:
    """The rule that a number breaks, in words."""
    endless = value in (math.inf, -math.inf) and math.isinf(rule.high)
    return f"finite and {rule}" if endless and "finite" not in str(rule) else str(rule)


def _broken_rule(hint: Any, value: Any) -> str | None:  # noqa: ANN401
    """The rule that a value breaks, in words; None if it keeps it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        ranges = _ranges(hint)
        word = _broken_rule(args[0], value)
        if word is not None:
            return " ".join([word, *(str(rule) for rule in ranges if rule != Range())])
        return next((_said(rule, value) for rule in ranges if value not in rule), None)
    if origin is Literal:
        return None if value in args else f"one of {', '.join(map(str, args))}"
    if origin in (Union, UnionType):
        rules = [_broken_rule(arg, value) for arg in args if arg is not NoneType]
        left_out = value is None and NoneType in args
        return None if left_out or None in rules else " or ".join(filter(None, rules))
    if origin is tuple:
        fits = isinstance(value, tuple) and all(_broken_rule(args[0], v) is None for v in value)
        return None if fits else "several names"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if hint not in words:
        return None if hint is Any or isinstance(value, hint) else f"a {hint.__name__}"
    kinds = (int, float) if hint is float else hint
    if not isinstance(value, kinds) or (hint is not bool and isinstance(value, bool)):
        return words[hint]
    huge = isinstance(value, int) and abs(value) > LARGEST
    return f"{words[hint]} of at most {LARGEST:g}," if huge else None
