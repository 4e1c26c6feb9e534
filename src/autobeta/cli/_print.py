"""What several commands print: losses and scores, and how a controlled run followed."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autobeta.errors import printable
from autobeta.settings import bounds_of


def print_results(result: Mapping[str, Any]) -> None:
    """Losses and scores of an evaluation."""
    splits = result.get("evaluation") or {}
    table = Table(
        "", *splits, title=f"{result.get('num_points')} images, step {result.get('step')}"
    )
    for name in next(iter(splits.values()), ()):
        table.add_row(
            printable(name), *(f"{_number(part.get(name)):.4g}" for part in splits.values())
        )
    Console().print(table, markup=False)
    if result.get("metrics"):
        print_scores(result["metrics"], {})


def print_scores(found: Mapping[str, Any], ends: Mapping[str, Any]) -> None:
    """A table of scores, one row for each number of those that have several."""
    table = Table("metric", "value", *(["95 % interval"] if ends else []))
    for name, value in found.items():
        for part, number in value.items() if isinstance(value, dict) else [("", value)]:
            row = [printable(f"{name} {part}".strip()), f"{_number(number):.4f}"]
            if ends:
                low, high = ends[name][part] if part else ends[name]
                row.append(f"{low:.4f} to {high:.4f}")
            table.add_row(*row)
    Console().print(table, markup=False)


def plain(*cells: object) -> list[Text]:
    """Cells of a table as they are: what strangers wrote is neither markup nor a command."""
    return [Text(printable(str(cell))) for cell in cells]


def _number(found: float | int | None) -> float | int:
    return math.nan if found is None else found


def print_tracking(log: list[dict[str, Any]], config: Mapping[str, Any]) -> None:
    """How well KL followed its set point, or R its target, and what to try if it did not."""
    from autobeta.control import advice, constraint, tracking

    geco = config["method"] == "geco"
    if geco and (held := constraint(log, config["method_config"].get("target"))) is not None:
        reached, target = held.reconstruction, held.target
        print(f"R was {reached:.4g} in the last tenth of the run; its target is {target:.4g}.")
        if held.advice:
            print(f"warning: {held.advice}", file=sys.stderr)
    bounds = bounds_of(config)
    if (found := tracking(log, **bounds)) is None:
        return
    print(
        f"KL was within 0.5 nats of its set point in {found.near:.0%} of the log's lines after "
        "the first tenth."
    )
    for sentence in [*_unreached(log, config), *advice(found, **bounds)]:
        print(f"warning: {sentence}", file=sys.stderr)


def _unreached(log: list[dict[str, Any]], config: Mapping[str, Any]) -> list[str]:
    last, wanted = log[-1].get("target"), config["method_config"].get("target")
    if last is None or wanted is None or last > wanted - 0.5:
        return []
    return [
        f"the set point was at {last:.1f} of {wanted:g} nats when the run ended: it waits for a "
        "network that does not follow, or its schedule is longer. Train longer, or ask for fewer "
        "nats (--method.target)."
    ]
