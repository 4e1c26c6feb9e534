"""Variational autoencoders whose loss weights set themselves."""

import os
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# Threads of torch that wait for one another in a long spin take each other's core beside another
# busy process. OpenMP reads this once, when torch is first imported; a short spin costs nothing.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_HOMES = {
    "DataOptions": "settings",
    "EvaluationConfig": "settings",
    "ModelConfig": "settings",
    "Run": "run.load",
    "RunConfig": "settings",
    "TrainConfig": "settings",
    "encode": "run.encode",
    "evaluate": "run.evaluate",
    "export": "run.export",
    "load_run": "run.load",
    "push": "run.push",
    "rank_runs": "run.rank",
    "score": "metrics",
    "suggest": "run.suggest",
    "train": "run.train",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    """Import a public name at its first use, so that the command line's help needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'autobeta' has no attribute {name!r}")
    return getattr(import_module(f"autobeta.{_HOMES[name]}"), name)
