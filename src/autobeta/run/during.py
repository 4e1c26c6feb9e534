"""What is made every so many steps of a training: pictures, and evaluations of its network."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.data import FactorDataset
from autobeta.run import folder as files
from autobeta.run.codes import SAMPLE_SEED, encode_dataset, sample_points
from autobeta.run.evaluate import encode_splits, losses, reconstruct
from autobeta.run.scores import score_splits
from autobeta.run.traverse import traverse
from autobeta.settings import EvaluationConfig, TrainConfig
from autobeta.training import Callback, TrainState
from autobeta.training.seeding import random_numbers_of
from autobeta.training.validation import evaluating
from autobeta.types import Representation

IMAGES = 16
"""Images of the sample of pictures; the traversals start from the first one's code."""


class AbstractDuring(ABC):
    """A callback that makes something every so many steps; the training does not notice.

    Args:
        dataset: The run's images.
        folder: The run folder.
        every: Steps between two.
    """

    def __init__(self, dataset: FactorDataset, folder: Path, every: int) -> None:
        self._dataset, self._folder, self._every = dataset, folder, every

    def begin(self, state: TrainState, config: TrainConfig) -> None:
        """Remove what is of later steps than the run goes on from."""
        del config
        self._cut(state.step)

    def __call__(self, row: dict[str, Any], images_per_second: float) -> None:
        """Do nothing with a line of the log."""
        del row, images_per_second

    def updated(self, state: TrainState) -> None:
        """Make it if it is due."""
        if state.step % self._every:
            return
        with evaluating(state.model), random_numbers_of(SAMPLE_SEED, state.device):
            self._make(state)

    @abstractmethod
    def _cut(self, step: int) -> None:
        """Remove what is of later steps."""

    @abstractmethod
    def _make(self, state: TrainState) -> None:
        """Make it, of the network as it is."""


class TrainingPictures(AbstractDuring):
    """Draws reconstructions and traversals of a fixed sample into `pictures/` of the run folder.

    Args:
        dataset: Whose images are drawn: held-out ones where there are some.
        folder: The run folder.
        every: Steps between two pictures.
        followers: Callbacks; those with a method `pictured` are then given the step.
    """

    def __init__(
        self, dataset: FactorDataset, folder: Path, every: int, followers: Sequence[Callback] = ()
    ) -> None:
        super().__init__(dataset, folder, every)
        self._tell = [c.pictured for c in followers if hasattr(c, "pictured")]
        split = next(n for n in ("validation", "test", "train") if n in dataset.splits)
        self._index = sample_points(dataset, split, IMAGES)

    def _cut(self, step: int) -> None:
        for drawn, _, path in files.pictures(self._folder):
            if drawn > step:
                path.unlink()
        for left in (self._folder / files.PICTURES).glob("*.tmp"):
            left.unlink()

    def _make(self, state: TrainState) -> None:
        from autobeta.reports import save_montage

        pairs = reconstruct(state.model, self._dataset, self._index)
        both = np.concatenate([pairs["originals"], pairs["reconstructions"]])
        place = files.picture(self._folder, state.step, "reconstructions")
        save_montage(place, both, columns=len(self._index))
        codes = encode_dataset(state.model, self._dataset, self._index)
        moved = traverse(state.model, codes, base=codes.codes[0])
        rows = moved["images"][np.argsort(moved["latents"])]  # a latent keeps its row
        place = files.picture(self._folder, state.step, "traversals")
        save_montage(place, np.concatenate(rows), columns=rows.shape[1])
        for tell in self._tell:
            tell(state.step)


class TrainingEvaluations(AbstractDuring):
    """Adds losses and scores to `evaluations.jsonl` of the run folder, a line an evaluation.

    Each is of the same images and metrics as the evaluation at the end of the run, whose own
    numbers are in `metrics.json` alone, but where patience ended the run at such a step. A network
    whose losses are not finite is left out.

    Args:
        dataset: The run's images.
        folder: The run folder.
        every: Steps between two evaluations.
        config: Settings of an evaluation.
        last: The run's last step, which is evaluated at the end in any case.
        followers: Callbacks; those with a method `evaluated` are then given the line.
    """

    def __init__(
        self,
        dataset: FactorDataset,
        folder: Path,
        every: int,
        config: EvaluationConfig,
        *,
        last: int,
        followers: Sequence[Callback] = (),
    ) -> None:
        super().__init__(dataset, folder, every)
        if every >= last:
            warnings.warn(
                f"`evaluate_every` is {every:,} steps, so that a run of {last:,} is evaluated at "
                "its end alone. Lower it.",
                stacklevel=2,
            )
        self._config, self._last = config, last
        self._tell = [c.evaluated for c in followers if hasattr(c, "evaluated")]

    def _cut(self, step: int) -> None:
        path = self._folder / files.EVALUATIONS
        lines = files.read_jsonl(path) if path.exists() else []
        kept = {line["step"]: line for line in lines if line["step"] <= step}
        points = min(self._config.num_points, len(self._dataset.splits["train"]))
        if others := [line for line in kept.values() if line.get("num_points") != points]:
            warnings.warn(
                f"`num_points` is {points:,}, and the evaluation after {others[-1]['step']:,} "
                f"steps is of {others[-1].get('num_points')} images: scores by step compare only "
                "with those of as many. Give the former number to go on with them.",
                stacklevel=4,
            )
        if step % self._every == 0 and step not in kept:  # it may be a run that is extended
            kept |= self._former_end(step)
        if kept or path.exists():  # of a line that was cut off nothing must stay
            files.write_jsonl(path, kept.values())

    def _former_end(self, step: int) -> dict[int, dict[str, Any]]:
        """The evaluation at the end, as it was, by its step; empty where it is of another."""
        try:
            found = files.read_metrics(self._folder / files.METRICS)
        except ValueError:  # damaged, as the evaluation at the new end will find
            return {}
        if found.get("step") != step:
            return {}
        keys = ("num_points", "evaluation", "metrics")
        return {step: {"step": step} | {key: found[key] for key in keys if key in found}}

    def _make(self, state: TrainState) -> None:
        if state.step == self._last:
            return
        splits = encode_splits(state.model, self._dataset, self._config.num_points)
        with np.errstate(over="ignore", invalid="ignore"):
            if not all(np.isfinite(found.kl).all() for found in splits.values()):
                return  # the next line of the log says so, and ends the run
            parts = splits.items()
            of_splits = {name: losses(state.model, self._dataset, part) for name, part in parts}
        if not all(math.isfinite(n) for found in of_splits.values() for n in found.values()):
            return
        scores = self._scores(splits)
        line: dict[str, Any] = {"step": state.step, "num_points": len(splits["train"].codes)}
        line |= {"evaluation": of_splits, "metrics": scores}
        files.append_jsonl(self._folder / files.EVALUATIONS, line)
        files.flush(self._folder / files.EVALUATIONS)  # a checkpoint may follow, which it precedes
        for tell in self._tell:
            tell(line)

    def _scores(self, splits: Mapping[str, Representation]) -> dict[str, Any]:
        """The scores; one that can't be had on the way is left out, and the training goes on."""
        try:
            return score_splits(splits, self._config)
        except Exception as error:
            if self._config.metrics is None:
                warnings.warn(f"left out on the way: all scores. {error!r}", stacklevel=2)
        found: dict[str, Any] = {}
        for name in self._config.metrics or ():
            try:
                found |= score_splits(splits, replace(self._config, metrics=(name,)))
            except Exception as error:
                warnings.warn(f"left out on the way: {name}. {error}", stacklevel=2)
        return found
