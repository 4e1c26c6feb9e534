"""Variational autoencoders whose loss weights set themselves."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "EvaluationConfig": "autobeta.evaluation",
    "ModelConfig": "autobeta.assemble",
    "Run": "autobeta.api",
    "RunConfig": "autobeta.assemble",
    "TrainConfig": "autobeta.training",
    "encode": "autobeta.api",
    "load_run": "autobeta.api",
    "score": "autobeta.metrics",
    "suggest": "autobeta.api",
    "train": "autobeta.api",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    """Import a public name at its first use, so that the command line's help needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'autobeta' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
