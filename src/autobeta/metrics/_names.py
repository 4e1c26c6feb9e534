"""Printed names of metrics, such as `mig[bins=20]`, and what they ask for."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, cast

from autobeta.registry import available, check_name, describe, load

Metric = Callable[..., Any]


def printed_name(name: str) -> str:
    """Name of a metric with its variant, as it stands in results.

    Args:
        name: "mig", or with a variant, "mig[bins=10]", which is returned as it is.

    Raises:
        ValueError: If there is no such metric.

    Example:
        >>> printed_name("mig"), printed_name("sap"), printed_name("dci[gbt]")
        ('mig[bins=20]', 'sap', 'dci[gbt]')
    """
    base, variant = _parts(name)
    variant = variant or str(_facts(base)["VARIANT"])
    return f"{base}[{variant}]" if variant else base


def default_metrics() -> tuple[str, ...]:
    """Names of the metrics that are computed where none is asked for."""
    return tuple(n for n in available("metrics") if _facts(n)["DEFAULT"])


def check_metrics(names: tuple[str, ...] | list[str]) -> None:
    """Refuse names of metrics or variants that do not exist.

    Raises:
        ValueError: If there is none of a name; the message lists what exists.
    """
    for name in names:
        find(name)


def needs(name: str) -> tuple[str, ...]:
    """Inputs of a metric, read from its file."""
    return cast(tuple[str, ...], _facts(_parts(name)[0])["NEEDS"])


def bounds(name: str) -> tuple[float, float]:
    """Ends of a metric's range, read from its file."""
    return cast(tuple[float, float], _facts(_parts(name)[0])["RANGE"])


@functools.cache
def _facts(base: str) -> dict[str, object]:
    return describe("metrics", base)


def find(name: str) -> Metric:
    """The function of a metric, with the options that its variant names.

    Args:
        name: "dci", a variant by its word, "dci[gbt]", or by options, "mig[bins=10]".

    Raises:
        ValueError: If there is no such metric, variant or option.

    Example:
        >>> find("mig[bins=10]").keywords
        {'bins': 10}
    """
    base, variant = _parts(name)
    module = load("metrics", base)
    words = getattr(module, "VARIANTS", {})
    if not variant or variant in words:
        return cast(Metric, getattr(module, words.get(variant, base)))
    metric = cast(Metric, getattr(module, base))
    options = dict(_option(base, metric, text, tuple(words)) for text in variant.split(","))
    return functools.partial(metric, **options)


def _option(base: str, metric: Metric, text: str, words: tuple[str, ...]) -> tuple[str, Any]:
    """Name and value of one option, of the type that its default has."""
    key, _, value = text.partition("=")
    options = {
        name: parameter.default
        for name, parameter in inspect.signature(metric).parameters.items()
        if type(parameter.default) in (int, float) and name not in ("seed", "n_jobs")
    }
    if key not in options or not value:
        choices = [*words, *(f"{name}={default}" for name, default in options.items())]
        raise ValueError(
            f"the variant of {base} must be one of {', '.join(choices) or 'none'}; got {text!r}."
        )
    try:
        return key, type(options[key])(value)
    except ValueError as error:
        raise ValueError(
            f"`{key}` of {base} must be a number such as {options[key]}; got {value!r}."
        ) from error


def _parts(name: str) -> tuple[str, str]:
    """Name of the metric's module, and what stands in the brackets."""
    match = re.fullmatch(r"([^\[\]]*)(?:\[([^\[\]]+)\])?", name)
    if match is None:
        raise ValueError(
            f"a metric must be a name such as mig, or name[variant], such as mig[bins=10]; "
            f"got {name!r}."
        )
    return check_name("metrics", match[1]), match[2] or ""
