"""Stored configurations, as JSON has them: their formats, and what is a run's identity."""

from collections.abc import Mapping
from typing import Any

from autobeta import registry

FORMAT = 2

OBJECT = "object"
"""In place of a name: the user gave an object; `config.json` has its import path."""


def check_name(folder: str, name: str) -> None:
    """Refuse a name that its folder has not; `OBJECT` is none.

    Raises:
        ValueError: If there is none of that name; the message lists what there is.
    """
    if name != OBJECT:
        registry.check_name(folder, name)


def upgraded(stored: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a file holds
    """A configuration of this or an earlier format in the present one.

    Raises:
        ValueError: If it is no configuration, or of a later format.
    """
    stored = stored if isinstance(stored, Mapping) else {}
    found = stored.get("format")
    if found not in (1, FORMAT):
        raise ValueError(f"a configuration must have format {FORMAT}; got {found!r}.")
    kinds = {"method": str, "method_config": dict, "data": dict, "model": dict, "train": dict}
    for key, kind in kinds.items():
        if not isinstance(stored.get(key), kind):
            raise ValueError(
                f"a configuration must have {key!r}, a {kind.__name__}; got {stored.get(key)!r}."
            )
    if not isinstance(stored["data"].get("name"), str):
        raise ValueError("a configuration must have the `name` of its data; found none.")
    new = {**stored, "format": FORMAT}
    if found == 1:  # the likelihood was a setting of the methods
        method = dict(stored["method_config"])
        likelihood = method.pop("likelihood", "bernoulli")
        new |= {"method_config": method, "model": {"likelihood": likelihood, **stored["model"]}}
    return new
