"""Tracking, gain, lag and margin of a run."""

from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from autobeta.cli._print import print_tracking

_SEEN = 200  # steps; in fewer a self-tuning controller has little but what it assumed


def command(run: tyro.conf.Positional[Path]) -> None:
    """Show how a controlled run tracked, and how its loop answers: gain, lag, margin, damping.

    Args:
        run: Run folder.
    """
    from autobeta.control import analyse
    from autobeta.run import folder as files
    from autobeta.run.load import controller_of

    controller: Any = controller_of(run)
    if controller is None:
        method = files.read_config(run)["method"]
        raise ValueError(
            f"`run` must be a controlled run, such as one of dynamicvae or controlvae; got one of "
            f"{method}."
        )
    log = files.read_log(run)
    print_tracking(log, files.read_config(run))
    report = analyse(log, **controller.near_target()._asdict())
    if isinstance(report, str):
        print(report)
        return
    plant = report.plant
    lines = {
        "gain": f"{_interval(plant.gain, plant.gain_error, 2)} nats for each e-fold of beta",
        "lag": f"{_interval(plant.lag, plant.lag_error, 0)} steps",
        "gain margin": f"{report.margin:.1f} (unstable with a gain so many times larger)",
        "damping": f"{report.damping:.2f} (1: no swing)",
        "overshoot": f"{report.overshoot:.0%} of a rise",
    }
    source = "identified by the controller, last quarter"
    if plant.explained is not None:  # gains that the user has set
        source = f"from {plant.num_rises} rises of the set point"
        lines["explained"] = f"{plant.explained:.0%} of what KL did after the rises"
        lines["gains that would suit it"] = f"kp {report.kp:.3g}, ki {report.ki:.3g}"
    table = Table("", "value", title=f"{source}; intervals of 95 %")
    for name, text in lines.items():
        table.add_row(name, text)
    Console().print(table)
    if plant.explained is None and log[-1]["step"] < _SEEN:
        print(
            f"In {log[-1]['step']} steps the controller has learned little of its network: this "
            f"is close to what it assumed. Train for {_SEEN} steps or more."
        )


def _interval(value: float, error: float, digits: int) -> str:
    low, high = max(0.0, value - 1.96 * error), value + 1.96 * error
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
