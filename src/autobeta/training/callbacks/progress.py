"""Progress of a run: one live line on a terminal, plain lines every so often elsewhere."""

import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from autobeta.settings import TrainConfig
from autobeta.training.monitor import Watch
from autobeta.training.state import TrainState

PLAIN_SECONDS = 15.0


def build(folder: Path) -> "Progress":
    """Progress on standard error; nothing is written to the run folder."""
    del folder
    return Progress()


class Progress:
    """Shows each new line of the log, and warnings about a run going wrong.

    Use it as a context manager and pass it to `train` or `fit` among the `callbacks`.

    Args:
        console: Where to write; standard error if not given.
        quiet: Whether warnings are left out, as for a run that is meant to collapse.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._last_line = -PLAIN_SECONDS

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begin(self, state: TrainState, config: TrainConfig) -> None:
        """Say where the run is carried out, and from which step."""
        self._config = config
        controller = getattr(state.weighting, "controller", None)
        grace = config.steps + 1 if self._quiet else max(500, config.steps // 10)
        self._watch = Watch(grace, controller)
        if state.step < config.steps:
            left = f"steps {state.step + 1:,} to {config.steps:,}"
            self._console.print(Text(f"training on {state.device}, {left}"))

    def __call__(self, row: dict[str, Any], images_per_second: float) -> None:
        """Show one line of the log."""
        for finding in self._watch.findings(row):
            self._console.print(Text(f"warning: {finding}"))
        line = describe(row, images_per_second, self._config)
        if self._console.is_terminal:
            self._live.update(Text(line), refresh=True)
            if row["step"] == self._config.steps:
                self._live.stop()
        elif time.monotonic() - self._last_line >= PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(Text(line))


def describe(row: dict[str, Any], images_per_second: float, config: TrainConfig) -> str:
    """One line: step, terms in nats, KL and target, effective beta, speed, time left.

    Example:
        >>> row = {"step": 50, "terms": {"reconstruction": 90.0, "kl": 3.0}, "kl_average": 3.0,
        ...        "beta": 4.0, "equivalent_beta": 4.0, "target": 3.5}
        >>> describe(row, 640.0, TrainConfig(steps=100, batch_size=64))
        'step 50/100  reconstruction 90.00  kl 3.00 -> 3.50  beta 4  640 images/s  0:00:05 left'
    """
    parts = [f"step {row['step']}/{config.steps}"]
    parts += [f"{name} {value:.2f}" for name, value in row["terms"].items() if name != "kl"]
    target = f" -> {row['target']:.2f}" if "target" in row else ""
    parts.append(f"kl {row['kl_average']:.2f}{target}")
    if (beta := row["beta"]) is not None:
        equivalent = row["equivalent_beta"]
        same = abs(equivalent - beta) <= 1e-6 * abs(beta)
        parts.append(f"beta {beta:.3g}" + ("" if same else f" (equivalent {equivalent:.3g})"))
    left = (config.steps - row["step"]) * config.batch_size / max(images_per_second, 1e-9)
    minutes, seconds = divmod(round(left), 60)
    parts += [
        f"{images_per_second:.0f} images/s",
        f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left",
    ]
    return "  ".join(parts)
