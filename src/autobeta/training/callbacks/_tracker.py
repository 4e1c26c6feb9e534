"""What the callbacks of tracking libraries share: what they are sent, and that they may fail."""

import secrets
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from autobeta.data import read_image
from autobeta.run import folder as files
from autobeta.settings import TrainConfig
from autobeta.training.callbacks._flat import as_numbers
from autobeta.training.state import TrainState

Numbers = dict[str, float]
Pictures = dict[str, np.ndarray]
"""Name to an image, (H, W, C) uint8 with one channel or three."""


class AbstractStore(ABC):
    """One run in a tracking library, open for writing."""

    @abstractmethod
    def last_step(self) -> int:
        """The last step whose numbers are there; 0 for none."""

    @abstractmethod
    def log(self, step: int, numbers: Numbers) -> None:
        """Add the numbers of one line of the log."""

    @abstractmethod
    def add_pictures(self, step: int, pictures: Pictures) -> None:
        """Add pictures that were made after `step` updates."""

    @abstractmethod
    def add_results(self, step: int, scores: Numbers, pictures: Pictures) -> None:
        """Add what the evaluation after `step` updates found."""

    @abstractmethod
    def close(self, *, complete: bool) -> None:
        """Write out what is left; `complete` if no error ended the run."""


class Tracker:
    """Sends a run's curves, settings, scores and pictures to a tracking library.

    Lines of the log that the library lacks, having been off or cut short, are sent when the run
    goes on; those that it has are not sent twice. A library that fails is left out from then on,
    with a warning: the run goes on without it.

    Args:
        name: Of the callback.
        folder: The run folder.
        connect: Opens the run in the library, given the folder and the run's settings.
    """

    def __init__(
        self, name: str, folder: Path, connect: Callable[[Path, dict[str, Any]], AbstractStore]
    ) -> None:
        self._name, self._folder, self._connect = name, folder, connect
        self._store: AbstractStore | None = None
        self._last = 0
        self._failed = False

    def __enter__(self) -> "Tracker":
        self._failed = False
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._store is not None:
            self._attempt(self._close, kind is None)

    def begin(self, state: TrainState, config: TrainConfig) -> None:
        """Open the run in the library, and send the lines of the log that it lacks."""
        del state, config
        self._attempt(self._opened)

    def __call__(self, row: dict[str, Any], images_per_second: float) -> None:
        """Send one line of the log."""
        self._attempt(self._log, row, images_per_second)

    def validated(self, line: dict[str, Any]) -> None:
        """Send the numbers of a validation."""
        self._attempt(self._log_validation, line)

    def evaluated(self, line: dict[str, Any]) -> None:
        """Send losses and scores of an evaluation before the end."""
        self._attempt(self._log_evaluation, line)

    def pictured(self, step: int) -> None:
        """Send the pictures of a step."""
        self._attempt(self._send_pictures, step)

    def end(self, folder: Path) -> None:
        """Send the scores and pictures of the evaluation."""
        self._attempt(self._send_results, folder)

    def _attempt(self, action: Callable[..., object], *args: object) -> None:
        if self._failed:
            return
        try:
            action(*args)
        except Exception as error:  # whatever libraries, disks and networks raise
            self._failed = True
            with suppress(Exception):
                self._close(False)
            reason = str(error) or type(error).__name__
            warnings.warn(
                f"`callbacks` {self._name} has failed and is left out; the run goes on. It gets "
                f"what it lacks when the run is resumed. The reason: {reason}",
                stacklevel=3,
            )

    def _opened(self) -> AbstractStore:
        if self._store is None:
            self._store = self._connect(self._folder, files.read_config(self._folder))
            self._last = self._store.last_step()
            self._catch_up()
        return self._store

    def _catch_up(self) -> None:
        """Send what is in the folder, of each step in the order in which it came."""
        timings = files.read_jsonl(self._folder / files.TIMING)
        rates = {line["step"]: line.get("images_per_second") for line in timings}
        lines = files.read_jsonl(self._folder / files.VALIDATION)
        sent: list[tuple[int, int, Callable[[], object]]] = []
        sent += [(line["step"], 0, partial(self._log_validation, line)) for line in lines]
        lines = files.read_jsonl(self._folder / files.EVALUATIONS)
        sent += [(line["step"], 1, partial(self._log_evaluation, line)) for line in lines]
        drawn = {step for step, _, _ in files.pictures(self._folder)}
        sent += [(step, 1, partial(self._send_pictures, step)) for step in drawn]
        for row in files.read_jsonl(self._folder / files.LOG):
            sent.append((row["step"], 2, partial(self._log, row, rates.get(row["step"]))))
        for _, _, send in sorted(sent, key=itemgetter(0, 1)):
            send()

    def _log_validation(self, line: dict[str, Any]) -> None:
        if line["step"] > self._last:
            numbers = {f"validation/{name}": n for name, n in line.items() if name != "step"}
            self._opened().log(line["step"], numbers)

    def _log_evaluation(self, line: dict[str, Any]) -> None:
        if line["step"] > self._last:
            self._opened().log(line["step"], _results(line))

    def _send_pictures(self, step: int) -> None:
        if step > self._last:
            found = [(name, path) for s, name, path in files.pictures(self._folder) if s == step]
            pictures = {f"training/{name}": read_image(path, None, 3) for name, path in found}
            self._opened().add_pictures(step, pictures)

    def _log(self, row: dict[str, Any], images_per_second: float | None) -> None:
        if row["step"] > self._last:
            numbers = as_numbers({**row, "images_per_second": images_per_second})
            del numbers["step"]
            self._opened().log(row["step"], numbers)
            self._last = row["step"]

    def _send_results(self, folder: Path) -> None:
        found = files.read_metrics(folder / files.METRICS)
        self._opened().add_results(found["step"], _results(found), _pictures(folder))

    def _close(self, complete: bool) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close(complete=complete)


def require(name: str, *modules: str) -> None:
    """Refuse a callback whose modules are not installed.

    Raises:
        ImportError: If one is missing; the message says what to install.
    """
    for module in modules:
        if find_spec(module) is None:  # it is imported when the run begins
            raise ImportError(
                f"`callbacks` {name} needs the package {module}; got none installed. Install it "
                f"with pip install 'autobeta[{name}]'."
            )


def kept_id(folder: Path) -> str:
    """The name of the run in tracking libraries; drawn once, then kept in the run folder."""
    if not (folder / files.RUN_ID).exists():
        files.write_json(folder / files.RUN_ID, {"id": secrets.token_hex(8)})
    return str(files.read_json(folder / files.RUN_ID)["id"])


def _results(found: Mapping[str, Any]) -> Numbers:
    """Losses and scores of an evaluation."""
    return as_numbers({key: found.get(key) or {} for key in ("evaluation", "metrics")})


def _pictures(folder: Path) -> Pictures:
    """Originals above their reconstructions; and a row of images for each latent."""
    pairs = files.read_npz(folder / files.RECONSTRUCTIONS, "originals", "reconstructions")
    both = np.stack([pairs["originals"], pairs["reconstructions"]])
    moved = files.read_npz(folder / files.TRAVERSALS, "images")["images"]
    return {"reconstructions": _tiled(both), "traversals": _tiled(moved)}


def _tiled(images: np.ndarray) -> np.ndarray:
    """Images (rows, columns, H, W, C) as one."""
    rows, columns, height, width, channels = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width, channels)
