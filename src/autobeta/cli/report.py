"""One HTML page about runs or a study, or its figures as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tyro


def command(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    *,
    out: Path | None = None,
    figures: Path | None = None,
    format: tuple[Literal["pdf", "svg", "png"], ...] = ("svg",),
    explorer: str | None = None,
    watch: float | None = None,
) -> None:
    """Write one self-contained HTML report about runs or a study, or its figures as files.

    Args:
        runs: Run folders, of which what is none is left out and named; or the folder of a study.
        out: The HTML file to write.
        figures: Folder for a study's figures, each beside a CSV of its numbers.
        format: Formats of the figures.
        explorer: HTML file to write with sliders of the evaluated runs, which the report links to;
            or inline, to have them inside the report.
        watch: Seconds between looks for something new, until it is interrupted: then the report is
            written again, and an open page loads itself.
    """
    from autobeta.reports import write_study_figures
    from autobeta.study.folder import is_study

    if out is None and figures is None:
        raise ValueError("`out` must be given, or `figures`; got neither. Add --out report.html.")
    if not runs:
        raise ValueError("`runs` must name at least one run folder, or a study; got none.")
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
    if explorer is not None and studies:
        raise ValueError(
            f"`explorer` must be of run folders; got the study {studies[0]}. Name its runs."
        )
    if explorer not in (None, "inline"):
        _check_page(Path(str(explorer)), out)
    if watch is not None and out is None:
        raise ValueError("`watch` must come with `out`; got none. Add --out report.html.")
    if figures is not None:
        print("\n".join(map(str, write_study_figures(studies[0], figures, formats=format))))
    if out is not None and watch is None:
        _write(runs, out, explorer)
    elif out is not None and watch is not None:
        _keep_writing(runs, out, explorer, watch)


def _check_page(explorer: Path, out: Path | None) -> None:
    if explorer.is_dir() or explorer.suffix.lower() not in {".html", ".htm"}:
        raise ValueError(
            f"`explorer` must be an HTML file, or inline; got {explorer}. Give "
            f"{explorer.name}.html."
        )
    if out is not None and explorer.resolve() == out.resolve():
        raise ValueError(f"`explorer` must be another file than `out`; got {out} for both.")


def _write(
    runs: Sequence[Path], out: Path, explorer: str | None, renew: float | None = None
) -> None:
    from autobeta.reports import write_report, write_study_report
    from autobeta.study.folder import is_study

    if is_study(runs[0]):
        write_study_report(runs[0], out, renew=renew)
    else:
        shown = "" if explorer is None else _explorer(runs, out, explorer)
        write_report(runs, out, explorer=shown, renew=renew)
    if out.is_file():  # not a device, which the page itself went to
        print(out, flush=True)


def _keep_writing(runs: Sequence[Path], out: Path, explorer: str | None, watch: float) -> None:
    from autobeta.reports.watch import changes
    from autobeta.study.folder import is_study, read_study

    places = [*runs]
    if is_study(runs[0]):  # whose runs may lie elsewhere, beside those of others
        study = read_study(runs[0])
        ours = [f"{name}{end}" for name in study.runs for end in ("", ".json")]
        places += [study.runs_folder / name for name in ours]
    try:
        for _ in changes(places, watch=watch):
            _write(runs, out, explorer, renew=watch)
    except KeyboardInterrupt:
        _write(runs, out, explorer)  # the last one does not load itself again
        raise


def _explorer(runs: Sequence[Path], out: Path, asked: str) -> str:
    """Address of an explorer that is written, or its whole page; empty without evaluated runs."""
    import os
    from urllib.parse import quote

    from autobeta.reports.explorer import explorer_page, write_explorer
    from autobeta.run import folder
    from autobeta.run.explore import explored_runs

    ready = [
        run for run in runs if all((run / f).exists() for f in (folder.MODEL, folder.METRICS))
    ]
    if not ready:
        return ""
    found = explored_runs(ready, skip=True)
    if not found:
        return ""
    if asked == "inline":
        return explorer_page(found)
    written = write_explorer(found, Path(asked))
    return quote(os.path.relpath(written.resolve(), out.resolve().parent))
