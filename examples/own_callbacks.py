"""A run that callbacks follow: one prints and ends it in time, to go on later; one is a name."""

import json
import signal
import sys
import time
from pathlib import Path

from autobeta import RunConfig, TrainConfig, train
from autobeta.errors import InterruptedRunError


class TimeLimit:
    """Stop after so many minutes as Ctrl-C does, with a checkpoint; print what goes on."""

    def __init__(self, minutes: float) -> None:
        self.end_time = time.monotonic() + 60 * minutes

    def __call__(self, row: dict, images_per_second: float) -> None:
        print(f"step {row['step']}: KL {row['terms']['kl']:.2f}, {images_per_second:.0f} images/s")

    def updated(self, state) -> None:
        if time.monotonic() > self.end_time:
            signal.raise_signal(signal.SIGINT)

    def end(self, folder: Path) -> None:
        print(json.loads((folder / "metrics.json").read_text())["metrics"])


def main(out: Path, data: str = "dsprites", steps: int = 1000, minutes: float = 60) -> None:
    config = RunConfig(data=data, train=TrainConfig(steps=steps))
    try:
        train(config, out, callbacks=[TimeLimit(minutes), "csv"])
    except InterruptedRunError as stop:
        sys.exit(f"Stopped at step {stop.step}. Start again to go on.")


if __name__ == "__main__":
    main(Path("runs/own_callbacks"))
