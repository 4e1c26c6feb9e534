"""One HTML page about runs."""

from pathlib import Path

import tyro


def command(runs: tyro.conf.Positional[tuple[Path, ...]], *, out: Path) -> None:
    """Write one self-contained HTML report about runs.

    Args:
        runs: Run folders; what is none is left out and named.
        out: The HTML file to write.
    """
    from autobeta.reports import write_report

    written = write_report(runs, out)
    if out.is_file():  # not a device, which the page itself went to
        print(written)
