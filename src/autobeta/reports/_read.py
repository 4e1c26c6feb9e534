"""The files of a run folder, each read by one function that checks it before anything is drawn."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from autobeta import settings
from autobeta.errors import printable
from autobeta.run import folder

Found = TypeVar("Found")
Key = TypeVar("Key")

# of a configuration, as `folder.check_shape` reads it
_BOUNDS = {"beta_min": float, "beta_max": float}
_CONFIG = {
    **{"data": {"name": str}, "train": {"steps": int, "seed": int}},
    **{"control": _BOUNDS, "method_config": _BOUNDS},
}


def read(path: Path, reader: Callable[[Path], Found], damage: list[str]) -> Found | None:
    """What a file holds; None where it is not there or damaged, of which `damage` gets a word."""
    try:
        return reader(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # a damaged archive raises what its many parts raise
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        text = (reason or type(error).__name__).replace(str(path), path.name).rstrip(".")
        damage.append(printable(f"`{path.name}` is damaged and left out: {text}."))
        return None


def read_config(path: Path) -> dict[str, Any]:
    """The configuration as it was written, of any format that this version knows."""
    config = folder.read_json(path)
    settings.identity(config)
    folder.check_shape(config, _CONFIG)
    return config


def read_reconstructions(path: Path) -> dict[str, np.ndarray]:
    """Originals and their reconstructions, images of one shape."""
    return _arrays(path, {"originals": "NHWC", "reconstructions": "NHWC"})


def read_traversals(path: Path) -> dict[str, np.ndarray]:
    """Decoded images by latent and value, and what each row is; perhaps samples of the prior."""
    rows = {"latents": "D", "kl": "D", "active": "D", "values": "S"}
    arrays = _arrays(path, {"images": "DSHWC", **rows, "samples": "nHWC"})
    for name, kinds in {"latents": "iu", "kl": "f", "active": "b", "values": "f"}.items():
        if arrays[name].dtype.kind not in kinds or not np.isfinite(arrays[name]).all():
            raise ValueError(f"`{name}` must be finite numbers of its kind; got {arrays[name]}")
    return arrays


READERS = {folder.RECONSTRUCTIONS: read_reconstructions, folder.TRAVERSALS: read_traversals}


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level, keys joined by dots, values as JSON text.

    Example:
        >>> flatten({"train": {"lr": 0.1, "amp": None}, "method": "vae"})
        {'train.lr': '0.1', 'train.amp': 'null', 'method': 'vae'}
    """
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= flatten(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = as_text(item)
    return flat


def grouped(pairs: Iterable[tuple[Key, Found]]) -> dict[Key, list[Found]]:
    """Values by key, both in order of appearance."""
    found: dict[Key, list[Found]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def as_text(value: object) -> str:
    """A setting as text: JSON, without quotes around a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _arrays(path: Path, axes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Arrays of an archive; an axis has one length everywhere. Those with channels are images."""
    found = folder.read_npz(path)
    lengths: dict[str, int] = {}
    for name, letters in axes.items():
        if name == "samples" and name not in found:
            continue
        if name not in found or not found[name].size:
            raise ValueError(f"it must have `{name}`; got {', '.join(found)}")
        array = found[name]
        known = dict(zip(letters, array.shape, strict=False))
        if array.ndim != len(letters) or any(lengths.get(a, n) != n for a, n in known.items()):
            raise ValueError(f"`{name}` must have axes {letters}; got {array.shape}")
        lengths |= known
        if "C" in letters and not (array.dtype == np.uint8 and array.shape[-1] in (1, 3)):
            raise ValueError(
                f"`{name}` must be uint8 with 1 or 3 channels; got {array.dtype}, {array.shape}"
            )
    return found
