"""Pictures every so many steps of a training: reconstructions and traversals of a fixed sample."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.data import FactorDataset
from autobeta.run import folder as files
from autobeta.run.codes import SAMPLE_SEED, encode_dataset, sample_points
from autobeta.run.evaluate import reconstruct
from autobeta.run.traverse import traverse
from autobeta.settings import TrainConfig
from autobeta.training import Callback, TrainState
from autobeta.training.seeding import random_numbers_of
from autobeta.training.validation import evaluating

IMAGES = 16
"""Images of the sample; the traversals start from the first one's code."""


class TrainingPictures:
    """A callback that draws into `pictures/` of the run folder; the training does not notice.

    Args:
        dataset: Whose images are drawn: held-out ones where there are some.
        folder: The run folder.
        every: Steps between two pictures.
        followers: Callbacks; those with a method `pictured` are then given the step.
    """

    def __init__(
        self,
        dataset: FactorDataset,
        folder: Path,
        every: int,
        followers: Sequence[Callback] = (),
    ) -> None:
        self._dataset, self._folder, self._every = dataset, folder, every
        self._tell = [c.pictured for c in followers if hasattr(c, "pictured")]
        split = next(n for n in ("validation", "test", "train") if n in dataset.splits)
        self._index = sample_points(dataset, split, IMAGES)

    def begin(self, state: TrainState, config: TrainConfig) -> None:
        """Remove pictures that are of later steps than the run goes on from."""
        del config
        for step, _, path in files.pictures(self._folder):
            if step > state.step:
                path.unlink()
        for left in (self._folder / files.PICTURES).glob("*.tmp"):
            left.unlink()

    def __call__(self, row: dict[str, Any], images_per_second: float) -> None:
        """Lines of the log are not drawn."""

    def updated(self, state: TrainState) -> None:
        """Draw if it is due."""
        if state.step % self._every:
            return
        with evaluating(state.model), random_numbers_of(SAMPLE_SEED, state.device):
            self._draw(state)
        for tell in self._tell:
            tell(state.step)

    def _draw(self, state: TrainState) -> None:
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
