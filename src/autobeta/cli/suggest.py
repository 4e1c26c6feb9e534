"""Set point, schedule, bounds from a pilot."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from autobeta.cli._run import REPEAT, RunFlags, changed, stoppable
from autobeta.errors import pasted
from autobeta.rules import Count
from autobeta.settings import TrainConfig


@dataclass(frozen=True, kw_only=True)
class SuggestFlags(RunFlags):
    """Propose a KL set point, a schedule and bounds of beta, from a short pilot run."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(steps=2000, log_every=1)
    planned_steps: Count = 20_000
    """Updates of the run that the proposal is for."""


def main(args: Sequence[str]) -> None:
    """The command `autobeta suggest`, given what follows it on the command line."""
    from autobeta.run import folder as files
    from autobeta.run.suggest import suggest
    from autobeta.training.callbacks.progress import Progress

    flags = tyro.cli(SuggestFlags, prog="autobeta suggest", args=args)
    config = flags.config("pilot", None)
    # a pilot collapses in the end, as it should
    with stoppable(lambda: REPEAT):
        found = suggest(
            config, flags.out, num_steps=flags.planned_steps, callbacks=[Progress(quiet=True)]
        )
    _print(found, flags)
    print(f"\nFigure: {flags.out / files.SUGGESTION_FIGURE}")


def _print(found: Any, flags: SuggestFlags) -> None:  # noqa: ANN401 - control.Suggestion
    """A proposal with its reasons, and the commands that follow it."""
    from autobeta.control.suggestion import HEADROOM, LONGEST, SLOWER

    num_steps = flags.planned_steps
    print(
        f"Set point {found.target:g} nats: there beta, the slope of the rate-distortion curve, is "
        f"1, as at the ELBO's optimum. Measured slope {found.slope:.1f}, standard error "
        f"{found.error:.1f}."
    )
    if found.caution:
        print(f"warning: {found.caution}", file=sys.stderr)
    relative = flags.model.likelihood == "bernoulli"
    table = Table("KL", "reconstruction", "a nat less costs", title="smaller set points")
    table.caption = "a cross-entropy less the images' own entropy" if relative else None
    for point in found.choices:
        row = (f"{point.kl:.1f}", f"{point.reconstruction:.1f}", f"{point.beta:g} nats")
        table.add_row(*row)
    Console().print(table)
    print(
        f"Schedule: the pilot had learned enough for that many nats after {found.learned} steps; "
        f"the set point rises {SLOWER} times as slowly, in {found.rise:,} steps, but at most in "
        f"{LONGEST} of the run: {found.rising(num_steps):.0%} of {num_steps:,} steps.\n"
        f"Bounds of beta: {found.beta_initial:g}, where the pilot's KL is the first set point, "
        f"{found.target_start:g} nats; {found.beta_hold:g}, where it is {HEADROOM} times the last "
        f"one, for the set point to wait at; floor {found.beta_min:g} below that.\n"
    )
    usual = SuggestFlags(out=flags.out, data=flags.data, planned_steps=num_steps)
    given = changed(flags, dataclasses.replace(usual, train=_pilots(flags.train)))
    for method, settings in found.settings(num_steps).items():
        start = ["autobeta", "train", method, "--steps", num_steps, "--data", flags.data]
        own = [w for name, v in settings.items() for w in (_flag(name), f"{v:g}")]
        print(pasted(*start, *given, *own, "--out", "RUN"))


def _pilots(train: TrainConfig) -> TrainConfig:
    """The usual settings, but for what is a pilot's own."""
    return TrainConfig(steps=train.steps, log_every=train.log_every)


def _flag(name: str) -> str:
    return f"--method.{name.replace('_', '-')}"
