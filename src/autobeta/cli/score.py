"""Metrics of any codes and factors."""

import json as jsonlib
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from autobeta.cli._print import print_scores


def command(
    file: tyro.conf.Positional[Path],
    *,
    metrics: tuple[str, ...] | None = None,
    intervals: bool = False,
    jobs: int = -1,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Compute metrics of codes and factors, without any model.

    Args:
        file: An .npz with codes (N, D); factors (N, K), logvars, codes_test, factors_test where
            there are any.
        metrics: Metrics, or variants such as mig[bins=10] or dci[gbt]; the default suite if not
            given.
        intervals: Add 95 % intervals, from the spread over random halves of the points; 20 times
            the time.
        jobs: Processes or threads; -1 for all cores.
        seed: Seed of the metrics.
        json: Print JSON instead of a table.
    """
    from autobeta.metrics import INTERVALS_COVER, score
    from autobeta.metrics import intervals as find_intervals

    arrays = _read(file)
    inputs = {**arrays, "metrics": metrics, "n_jobs": jobs, "seed": seed}
    if intervals:
        scores, ends = find_intervals(**inputs)
    else:
        scores, ends = score(**inputs), {}
    if json:
        print(jsonlib.dumps(as_json(scores, ends), indent=2, allow_nan=False))
    else:
        print_scores(scores, ends)
        if ends:
            print(INTERVALS_COVER)


_KNOWN = ("codes", "factors", "logvars", "codes_test", "factors_test")
_WRITE = "numpy.savez('codes.npz', codes=codes, factors=factors)"
_OTHERS = (".npy", ".csv", ".tsv", ".txt", ".pt", ".parquet", ".safetensors", ".h5", ".hdf5")
_OF_A_RUN = ("logvars_test", "index", "index_test", "split", "names")


def _read(file: Path) -> dict[str, Any]:
    """Inputs of the metrics from a file; what it holds besides is named."""
    from autobeta.run import folder as files

    if file.suffix in _OTHERS or file.is_dir():
        sample = file / files.REPRESENTATION
        way_out = f"A run's are in {sample}." if sample.exists() else f"Write both with {_WRITE}."
        raise ValueError(
            f"`file` must be an .npz that holds codes and factors; got {file}. {way_out}"
        )
    arrays = files.read_npz(file, "codes", way_out=f"Write both with {_WRITE}.")
    unread = [f"{k} {v.shape}" for k, v in arrays.items() if k not in (*_KNOWN, *_OF_A_RUN)]
    if unread:
        wanted = "" if "factors" in arrays else " An array named factors would be."
        warnings.warn(f"not read: {', '.join(unread)}.{wanted}", stacklevel=2)
    both = ("codes_test", "factors_test")
    held = [arrays.get(name) for name in both]
    if "factors" in arrays and len(alone := [name for name in both if name in arrays]) == 1:
        raise ValueError(
            f"`file` must hold codes_test and factors_test, or neither; got {alone[0]} alone. Add "
            "the other, or leave it out."
        )
    return {
        "codes": arrays["codes"],
        "factors": arrays.get("factors"),
        "logvars": arrays.get("logvars"),
        "test": None if any(array is None for array in held) else tuple(held),
    }


def as_json(scores: Mapping[str, Any], ends: Mapping[str, Any]) -> dict[str, Any]:
    """Scores, with intervals where there are any; null for what is not finite."""
    found: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found[name] = as_json(value, ends.get(name, {}))
        elif name in ends:
            numbers = zip(("value", "low", "high"), (value, *ends[name]), strict=True)
            found[name] = {key: _finite(number) for key, number in numbers}
        else:
            found[name] = _finite(value)
    return found


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
