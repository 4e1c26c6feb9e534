"""Printed names of metrics, such as `mig[bins=20]`, and what they ask for."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from autobeta.metrics._options import Number, check_options
from autobeta.registry import check_name, describe, load

Metric = Callable[..., Any]


class Asked(NamedTuple):
    """What a name asks for: a module, the function in it, and its options."""

    base: str
    function: str
    variant: str
    options: dict[str, Number]


def printed_name(name: str) -> str:
    """Name of a metric with its variant, as it stands in results; errors as `check_metrics`.

    Example:
        >>> printed_name("mig"), printed_name("sap"), printed_name("irs[quantile=1]")
        ('mig[bins=20]', 'sap', 'irs[quantile=1.0]')
    """
    asked = parse(name)
    return f"{asked.base}[{asked.variant}]" if asked.variant else asked.base


def as_names(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """Names of metrics from any iterable of them; a TypeError if it is none."""
    if names is None:
        return None
    if isinstance(names, Iterable) and not isinstance(names, str):
        found = tuple(names)
        if all(isinstance(name, str) for name in found):
            return found
    raise TypeError(f"`metrics` must be a list of names such as ['mig']; got {names!r}.")


def check_metrics(
    names: Sequence[str], *, has_factors: bool = True, has_logvars: bool = True
) -> None:
    """Refuse, before there are any codes, names of metrics that can't be computed.

    That is a ValueError for a name, variant or option that there is not, an option out of its
    range, or a metric that needs what there won't be; a TypeError if it is not a list of names.

    Example:
        >>> check_metrics(["mig[bins=10]", "dci[rf]"])
    """
    as_names(names)
    given = {"factors": has_factors, "logvars": has_logvars}
    for name in names:
        for missing in needed(name) - {key for key, there in given.items() if there}:
            raise ValueError(f"`{missing}` must be given for {name!r}; got None.")


def needed(name: str) -> set[str]:
    """What a metric can't do without besides codes."""
    return {"factors", "logvars"} & set(facts(parse(name).base)["NEEDS"])


def facts(base: str) -> Mapping[str, Any]:
    """Constants of a metric's module, read without importing it."""
    return describe("metrics", base)


def find(name: str) -> Metric:
    """The function of a metric, with the options that its variant names."""
    asked = parse(name)
    metric = cast(Metric, getattr(load("metrics", asked.base), asked.function))
    return functools.partial(metric, **asked.options) if asked.options else metric


@functools.cache
def parse(name: str) -> Asked:
    """What "dci", a variant by its word, "dci[gbt]", or by options, "mig[bins=10]", asks for."""
    match = re.fullmatch(r"([^\[\]]*)(?:\[([^\[\]]+)\])?", name)
    if match is None:
        rule = "a metric must be a name such as mig, or name[variant], such as mig[bins=10]"
        raise ValueError(f"{rule}; got {name!r}.")
    base, variant = check_name("metrics", match[1]), match[2]
    words: Mapping[str, str] = facts(base).get("VARIANTS", {})
    if variant is None or variant in words:
        variant = variant or facts(base).get("VARIANT", "")
        return Asked(base, words.get(variant, base), variant, {})
    options: dict[str, Number] = {}
    for text in variant.split(","):
        key, value = _option(base, text)
        if key in options:
            raise ValueError(f"`{key}` of {base} must be given once; got {variant!r}.")
        options[key] = value
    return Asked(base, base, ",".join(f"{k}={v}" for k, v in options.items()), options)


def _option(base: str, text: str) -> tuple[str, Number]:
    key, _, value = text.partition("=")
    ranges = facts(base).get("OPTIONS", {})
    if key not in ranges or not value:
        choices = [*facts(base).get("VARIANTS", {}), *(f"{name}=NUMBER" for name in ranges)]
        raise ValueError(
            f"the variant of {base} must be one of {', '.join(choices) or 'none'}; got {text!r}."
        )
    low, high = ranges[key]
    try:
        number = type(low)(value)
    except ValueError as error:
        raise ValueError(
            f"`{key}` of {base} must be a number in [{low:,}, {high:,}]; got {value!r}."
        ) from error
    check_options(ranges, 0, **{key: number})
    return key, number
