"""Curves as `log.csv` in the run folder: a row a line of the log, a column a number."""

import csv
from pathlib import Path
from typing import Any

from autobeta.run import folder as files
from autobeta.settings import TrainConfig
from autobeta.training.callbacks._flat import flatten
from autobeta.training.state import TrainState


def build(folder: Path) -> "CsvLog":
    """Writes `log.csv` into the run folder, anew when the run is resumed."""
    return CsvLog(folder)


class CsvLog:
    """Writes each new line of the log as a row; the columns are those of the first line.

    Args:
        folder: The run folder, whose log is copied when a run is resumed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._columns: list[str] = []

    def begin(self, state: TrainState, config: TrainConfig) -> None:
        """Write the lines that were logged before a resume."""
        del state, config
        (self._folder / files.CURVES).unlink(missing_ok=True)
        for row in files.read_jsonl(self._folder / files.LOG):
            self(row, 0.0)

    def __call__(self, row: dict[str, Any], images_per_second: float) -> None:
        """Append one row."""
        del images_per_second
        flat = flatten(row, ".")
        with (self._folder / files.CURVES).open("a", encoding="utf-8", newline="") as file:
            self._columns = self._columns or list(flat)
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(flat)
