"""Nested lines of the log, scores and settings as one level, as CSV and trackers take them."""

import json
from collections.abc import Mapping
from typing import Any


def flatten(value: Mapping[str, Any] | list[Any], separator: str) -> dict[str, Any]:
    """Nested numbers as one level, the items of lists by their index.

    Example:
        >>> flatten({"terms": {"kl": 3.0}, "kl_per_latent": [1.0, 2.0]}, "/")
        {'terms/kl': 3.0, 'kl_per_latent/0': 1.0, 'kl_per_latent/1': 2.0}
    """
    flat: dict[str, Any] = {}
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        if isinstance(item, Mapping | list):
            below = flatten(item, separator)
            flat |= {f"{key}{separator}{name}": found for name, found in below.items()}
        else:
            flat[str(key)] = item
    return flat


def as_numbers(value: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of nested JSON by their path, `terms/kl`; what is null is left out."""
    return {name: float(item) for name, item in flatten(value, "/").items() if item is not None}


def as_settings(config: Mapping[str, Any]) -> dict[str, str | float | int]:
    """Settings of a run by their dotted name; what is no number or text is JSON text.

    Example:
        >>> as_settings({"method": "vae", "data": {"path": None, "image_shape": [64, 64]}})
        {'method': 'vae', 'data.path': 'null', 'data.image_shape': '[64, 64]'}
    """
    flat: dict[str, str | float | int] = {}
    for key, item in config.items():
        if isinstance(item, Mapping):
            flat |= {f"{key}.{name}": found for name, found in as_settings(item).items()}
        else:
            plain = isinstance(item, str | float | int) and not isinstance(item, bool)
            flat[key] = item if plain else json.dumps(item)
    return flat
