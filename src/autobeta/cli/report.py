"""One HTML page about runs or a study, or its figures as files."""

from pathlib import Path
from typing import Literal

import tyro


def command(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    *,
    out: Path | None = None,
    figures: Path | None = None,
    format: tuple[Literal["pdf", "svg", "png"], ...] = ("svg",),
) -> None:
    """Write one self-contained HTML report about runs or a study, or its figures as files.

    Args:
        runs: Run folders, of which what is none is left out and named; or the folder of a study.
        out: The HTML file to write.
        figures: Folder for a study's figures, each beside a CSV of its numbers.
        format: Formats of the figures.
    """
    from autobeta.reports import write_report, write_study_figures, write_study_report
    from autobeta.study.folder import is_study

    if out is None and figures is None:
        raise ValueError("`out` must be given, or `figures`; got neither. Add --out report.html.")
    studies = [path for path in runs if is_study(path)]
    if studies and len(runs) > 1:
        raise ValueError(
            f"`runs` must be run folders, or one study; got {len(runs)} paths, of which "
            f"{studies[0]} is a study. Report on it alone."
        )
    if figures is not None and not studies:
        raise ValueError(
            "`figures` must be of a study; got run folders. Give a study's folder, or --out."
        )
    if out is not None:
        written = write_study_report(studies[0], out) if studies else write_report(runs, out)
        if out.is_file():  # not a device, which the page itself went to
            print(written)
    if figures is not None:
        print("\n".join(map(str, write_study_figures(studies[0], figures, formats=format))))
