"""Tracking, gain, lag and margin of a run."""

from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from autobeta.cli._print import print_tracking


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
        raise ValueError(f"`run` must be a controlled run; got one of {method}.")
    log = files.read_log(run)
    print_tracking(log, files.read_config(run))
    report = analyse(log, **controller.near_target()._asdict())
    if isinstance(report, str):
        print(report)
        return
    plant = report.plant
    table = Table("", "value", title=f"from {plant.num_rises} rises of the set point")
    for name, text in {
        "gain": f"{plant.gain:.2f} nats for each e-fold of beta",
        "lag": f"{plant.lag:.0f} steps",
        "explained": f"{plant.explained:.0%} of what KL did after the rises",
        "gain margin": f"{report.margin:.1f} (unstable with a gain so many times larger)",
        "damping": f"{report.damping:.2f} (1: no swing)",
        "overshoot": f"{report.overshoot:.0%} of a rise",
        "gains that would suit it": f"kp {report.kp:.3g}, ki {report.ki:.3g}",
    }.items():
        table.add_row(name, text)
    Console().print(table)
