"""The scores of a run's codes: whether those that are asked for can be had, and their values."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int

from autobeta.data import FactorDataset
from autobeta.metrics import (
    check_libraries,
    check_metrics,
    constant_factors,
    has_too_many,
    needed,
    score,
)
from autobeta.run.codes import sample_points
from autobeta.settings import EvaluationConfig
from autobeta.types import Representation

_TRIED = 500  # points, at most, on which scores are tried before there are codes


def check_asked(config: EvaluationConfig, dataset: FactorDataset) -> None:
    """Refuse metrics that can't be computed, before there are codes of the data set.

    Raises:
        ValueError: If there is no such metric, or it needs factors and the images have none.
        ImportError: If a library that it needs can't be loaded; the message names the extra.
    """
    names = config.metrics or ()
    check_metrics(names)
    check_libraries(names)
    lacking = [name for name in names if "factors" in needed(name)]
    if lacking and dataset.factor_values is None:
        raise ValueError(
            f"`metrics` must do without labels, since {dataset.source} have none; got "
            f"{', '.join(lacking)}. Leave them out, or add labels: to a folder a labels.csv with "
            "a row for each image, to a file of arrays the array 'factors'; see `autobeta docs "
            "data`."
        )
    if names:
        _try_scores(config, dataset)


def _try_scores(config: EvaluationConfig, dataset: FactorDataset) -> None:
    """Refuse scores that have too few points or factors, by what they say of noise.

    A large sample is tried by a few points whose factors have the same faults, if any.
    """
    names, values = config.metrics or (), dataset.factor_values
    parts = {
        split: sample_points(dataset, split, config.num_points)
        for split in dataset.splits
        if split != "validation"
    }
    factors = {split: None if values is None else values(i) for split, i in parts.items()}
    whole = max(map(len, parts.values())) <= _TRIED
    if (train := factors["train"]) is not None and train.ndim != 2:
        whole = True  # which every score refuses
    if not whole:
        names = tuple(name for name in names if "=" not in name)  # they may need more points
        factors = dict.fromkeys(parts, _like(factors["train"]))
    splits = {}
    for split, index in parts.items():
        noise = np.random.default_rng(0).integers(0, 5, (len(index) if whole else _TRIED, 10))
        splits[split] = Representation(
            codes=noise.astype(np.float32),
            logvars=np.full(noise.shape, -4, np.float32),
            index=np.arange(len(noise)),
            factors=factors[split],
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            score_splits(splits, replace(config, metrics=names))
    except ValueError as error:
        drawn = f" `num_points` draws {len(parts['train'])} images for training." if whole else ""
        raise ValueError(f"{error}{drawn}") from error


def _like(
    factors: Int[np.ndarray, "points factors"] | None,
) -> Int[np.ndarray, "tried factors"] | None:
    """Invented factors of few points: constant, or with a value a row, where the others are."""
    if factors is None:
        return None
    found = np.random.default_rng(1).integers(0, 5, (_TRIED, factors.shape[1]))
    found[:, constant_factors(factors)] = 0
    many = [k for k, column in enumerate(factors.T) if has_too_many(column)]
    found[:, many] = np.arange(_TRIED)[:, None]
    return found


def score_splits(
    splits: Mapping[str, Representation], config: EvaluationConfig
) -> dict[str, float | dict[str, float]]:
    """Metrics of the training images, predictors tested on held-out ones where there are any.

    A score that is not finite, of which `score` warns, is left out.
    """
    train, test = splits["train"], splits.get("test")
    held_out = None if test is None or test.factors is None else (test.codes, test.factors)
    found = score(
        train.codes,
        train.factors,
        logvars=train.logvars,
        test=held_out,
        metrics=config.metrics,
        n_jobs=config.jobs or torch.get_num_threads(),
        seed=config.metrics_seed,
    )
    return {name: value for name, value in found.items() if _is_finite(value)}


def _is_finite(value: float | dict[str, float]) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(math.isfinite(v) for v in values)
