"""One HTML page about runs."""

from collections.abc import Sequence
from pathlib import Path

import tyro


def main(args: Sequence[str]) -> None:
    """The command `autobeta report`.

    Args:
        args: What follows it on the command line.
    """
    tyro.cli(_report, prog="autobeta report", args=args)


def _report(runs: tyro.conf.Positional[tuple[Path, ...]], *, out: Path) -> None:
    """Write one self-contained HTML report about runs.

    Args:
        runs: Run folders; what is none is left out and named.
        out: The HTML file to write.
    """
    from autobeta.reports import write_report

    print(write_report(runs, out))
