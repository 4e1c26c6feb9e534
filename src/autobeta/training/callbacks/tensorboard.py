"""Curves, settings, scores and pictures for TensorBoard, in `tensorboard/` of the run folder."""

from pathlib import Path
from typing import Any

from autobeta.run import folder as files
from autobeta.training.callbacks._flat import as_settings
from autobeta.training.callbacks._tracker import (
    AbstractStore,
    Numbers,
    Pictures,
    Tracker,
    require,
)

SHOWN = ("terms/reconstruction", "terms/kl", "beta")
"""Curves whose last value TensorBoard shows beside the settings of a run."""


def build(folder: Path) -> Tracker:
    """Event files in `tensorboard/`, written anew when the run is resumed.

    Raises:
        ImportError: If tensorboard is not installed.
    """
    require("tensorboard", "tensorboard")
    return Tracker("tensorboard", folder, EventStore)


class EventStore(AbstractStore):
    """Event files of one run.

    Args:
        folder: The run folder.
        config: The run's settings, as in `config.json`.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        place = folder / files.TENSORBOARD
        for former in place.glob("events.out.tfevents.*"):
            former.unlink()
        self._writer = SummaryWriter(str(place))
        assert self._writer.file_writer is not None  # it is opened with the writer
        for summary in hparams(as_settings(config), dict.fromkeys(SHOWN, 0.0)):
            self._writer.file_writer.add_summary(summary)

    def last_step(self) -> int:
        """0: the files are new."""
        return 0

    def log(self, step: int, numbers: Numbers) -> None:
        """A point of each curve, on the disk at once."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()

    def add_pictures(self, step: int, pictures: Pictures) -> None:
        """Images by step."""
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def add_results(self, step: int, scores: Numbers, pictures: Pictures) -> None:
        """Scores as curves of one point."""
        self.add_pictures(step, pictures)
        self.log(step, scores)

    def close(self, *, complete: bool) -> None:
        """Close the event file."""
        del complete
        self._writer.close()
