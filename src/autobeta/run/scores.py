"""The scores of a run's codes: whether those that are asked for can be had, and their values."""

import math
import warnings
from collections.abc import Mapping

import numpy as np
import torch

from autobeta.data import FactorDataset
from autobeta.metrics import check_libraries, check_metrics, needed, score
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

    Of a large sample only the number of factors counts, and a part of it tells.
    """
    splits, rng, whole = {}, np.random.default_rng(0), True
    for split in (name for name in dataset.splits if name != "validation"):
        index = sample_points(dataset, split, config.num_points)
        factors = None if dataset.factor_values is None else dataset.factor_values(index)
        if len(index) > _TRIED:
            index, whole = index[:_TRIED], False
        if factors is not None and len(factors) > _TRIED:
            factors = rng.integers(0, 5, (_TRIED, factors.shape[1]))
        noise = rng.integers(0, 5, (len(index), 10)).astype(np.float32)
        splits[split] = Representation(
            codes=noise, logvars=np.full_like(noise, -4), index=index, factors=factors
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            score_splits(splits, config)
    except ValueError as error:
        size = f"{len(splits['train'].codes)} images, of which `num_points` are drawn"
        raise ValueError(
            f"{error} The evaluation is of {size}." if whole else str(error)
        ) from error


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
