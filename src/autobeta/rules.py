"""Rules of arguments, written in their annotations as those of settings are."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from autobeta.settings import Range

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse numbers that break the rule in their annotation, such as `kp: NonNegative`.

    Example:
        >>> from autobeta.settings import NonNegative
        >>> @checked
        ... def half(x: NonNegative) -> float:
        ...     return x / 2
        >>> half(-1.0)
        Traceback (most recent call last):
        ValueError: `x` must be at least 0; got -1.0.
    """
    signature = inspect.signature(function)
    rules = {
        name: next(rule for rule in get_args(hint)[1:] if isinstance(rule, Range))
        for name, hint in get_type_hints(function, include_extras=True).items()
        if get_origin(hint) is Annotated
    }

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        for name, value in given.items():
            if name in rules and value not in rules[name]:
                default = signature.parameters[name].default
                hint = "" if default is inspect.Parameter.empty else f" The default is {default}."
                raise ValueError(f"`{name}` must be {rules[name]}; got {value}.{hint}")
        return function(*args, **kwargs)

    return call
