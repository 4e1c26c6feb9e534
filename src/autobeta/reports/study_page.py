"""One self-contained HTML page about a study, and its figures as files."""

import html
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from autobeta.errors import printable
from autobeta.reports import _summaries
from autobeta.reports._formats import csv_link, to_csv, to_html
from autobeta.reports._html import document, open_runs, picture, sentences, slug, slugs
from autobeta.reports._load import find_runs
from autobeta.reports._study import (
    StudyRecord,
    is_finished,
    load_study,
    loss_names,
    score_names,
    value_of,
)
from autobeta.reports._style import svg_uri
from autobeta.reports.page import traversal_picture
from autobeta.reports.study_figures import StudyFigure, study_figures
from autobeta.reports.study_tables import column_of, marked
from autobeta.run import folder
from autobeta.run.out import write_out
from autobeta.study.progress import RunProgress, progress
from autobeta.study.table import Row

FORMATS = ("pdf", "svg", "png")
DPI = 300  # of PNG files

_PICTURES = (
    "Each row changes one latent from low to high and leaves the others as they are; dead latents "
    "are pale."
)


def write_study_report(study: Path | str, out: Path | str, *, renew: float | None = None) -> Path:
    """Write one HTML page about a study: tables, figures, what failed, and what it took.

    The page needs no network and no other file; a short script in it sorts tables, moves sliders
    and saves figures, and it can be read without. The same folders give the same bytes. Runs that
    failed, are unfinished or have damaged files are named.

    Args:
        study: The study's folder.
        out: The HTML file to write.
        renew: Seconds after which an open page loads itself again.

    Raises:
        FileNotFoundError: If the folder holds no study.
        ValueError: If what it holds is damaged, or `out` is a folder or a file of a run.
    """
    out = Path(out)
    if out.is_dir():
        raise ValueError(f"`out` must be a file; got the folder `{out}`. Add a name.html to it.")
    record = load_study(Path(study))
    title = f"{record.title}: a study of {len(record.table)} runs"
    page = document(title, "".join(_body(record)), renew=renew).encode()
    write_out(out, lambda file: file.write(page))
    return out


def write_study_figures(
    study: Path | str, out: Path | str, *, formats: Sequence[str] = ("svg",)
) -> list[Path]:
    """Write the figures of a study as files named by what they show, each with its numbers as CSV.

    Raises:
        FileNotFoundError: If the folder holds no study.
        ValueError: If a format is none of pdf, svg and png, or `out` is a file.
    """
    for form in formats:
        if form not in FORMATS:
            raise ValueError(
                f"`formats` must be of {', '.join(FORMATS)}; got {form!r}. Choose one of these."
            )
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` must be a folder; got the file {out}. Choose another name.")
    record = load_study(Path(study))
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for data in record.by_data:
        for found in study_figures(record, data, score_names(record.table)):
            files = {form: _saved(found.figure, form) for form in dict.fromkeys(formats)}
            for ending, content in (files | {"csv": to_csv(found.numbers)}).items():
                written.append(out / f"{found.name}.{ending}")
                written[-1].write_bytes(content)
    return written


def _saved(figure: Figure, form: str) -> bytes:
    """The figure's file, without a date."""
    dates: dict[str, dict[str, None]] = {"svg": {"Date": None, "Creator": None}}
    dates |= {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    file = io.BytesIO()
    figure.savefig(file, format=form, dpi=DPI, metadata=dates.get(form, {"Software": None}))
    return file.getvalue()


def _body(record: StudyRecord) -> Iterator[str]:
    if source := record.study.about.get("source"):
        yield f"<p>{html.escape(printable(str(source)))}</p>\n"
    if record.notice:
        yield f'<p class="notice"><b>{html.escape(record.notice)}</b></p>\n'
    yield from _overview(record)
    scores = score_names(record.table)
    for data in record.by_data:
        yield f"<h2>{html.escape(data)}</h2>\n"
        yield from _data_section(record, data, scores)
    if (table := _summaries.rank_table(record, scores)) is not None:
        yield f"<h2>Ranks over all scores</h2>\n{to_html(table, name='ranks')}"
    yield f"<h2>What it took</h2>\n{to_html(_summaries.budget(record), name='budget')}"
    origins = _summaries.origins(record).items()
    yield "<ul>" + "".join(
        f"<li><b>{html.escape(name)}</b>: {html.escape('; '.join(values))}</li>"
        for name, values in origins
    )
    yield "</ul>\n<footer>Written by autobeta from the files of the study.</footer>\n"


def _overview(record: StudyRecord) -> Iterator[str]:
    """How many runs are in which state, and why some failed or are not finished."""
    counts: dict[str, int] = {}
    for row in record.table:
        counts[str(row["state"])] = counts.get(str(row["state"]), 0) + 1
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    seeds = len({row["seed"] for row in record.table})
    methods = ", ".join(dict.fromkeys(group.method for group in record.groups))
    data = ", ".join(record.by_data)
    text = f"Methods: {methods}. Data: {data}. Seeds: {seeds}. Runs: {said}."
    yield f"<p>{html.escape(text)}</p>\n"
    running = [run for run in progress(record.study) if run.state == "running"]
    if running:
        shown = ((printable(run.name), run.step, run.steps, _left(run)) for run in running)
        yield f"<h2>Running</h2>\n{open_runs(shown)}"
    gaps = sentences(
        (printable(str(row["run"])), sentence) for row in record.table for sentence in _gaps(row)
    )
    if gaps:
        yield f'<div class="missing">What is missing:{gaps}</div>\n'


def _left(run: RunProgress) -> str:
    """How fast a run is, and how long it still takes, as far as it is known."""
    if run.speed is None or run.seconds_left is None:
        return ""
    return f": {run.speed:,.0f} images/s, {run.seconds_left / 60:,.0f} min left"


def _gaps(row: Row) -> list[str]:
    """What a run lacks; runs of one reason are named together."""
    found = []
    reason = printable(str(row["reason"] or ""))
    if row["state"] == "failed":
        found.append(f"Failed: {reason or 'without a word'}")
    elif not is_finished(row) and row["state"] not in ("running", "done"):
        found.append(f"Not finished: it is {row['state']}.")
    if reason and row["state"] != "failed":
        found.append(f"Left out, as far as this goes: {reason}")
    return found


def _data_section(record: StudyRecord, data: str, scores: Sequence[str]) -> Iterator[str]:
    groups, place = record.by_data[data], slugs(record.by_data)[data]
    losses = loss_names(record.table)
    main = main_score(record, data, scores)
    for what, keys in (("scores", scores), ("losses", losses)):
        found = marked(record, data, keys)
        if len(found.headings) > 2:
            yield f"<h3>{what.capitalize()}</h3>\n{to_html(found, name=f'{place}-{what}')}"
    drawn = [_figure(found) for found in study_figures(record, data, scores)]
    yield f'<div class="figures">\n{"".join(drawn)}</div>\n'
    if main is not None:
        yield from _traversals(record, _summaries.shown_runs(groups, main), main)
    several = len(groups) > 1
    more = [
        ("How KL followed its set point", _summaries.followings(record, data)),
        (
            "Against the first method",
            _summaries.against_baseline(record, data, scores) if several else None,
        ),
        ("Interquartile means", _summaries.middle_means(record, data, scores)),
        (
            "Choosing a run without labels",
            _summaries.agreements(record, data, main) if main else None,
        ),
        ("A score's own error", _summaries.own_errors(record, data, main) if main else None),
    ]
    for title, table in more:
        if table is not None:
            shown = to_html(table, name=f"{place}-{slug(title)}")
            yield f"<details open><summary>{title}</summary>{shown}</details>\n"


def main_score(record: StudyRecord, data: str, scores: Sequence[str]) -> str | None:
    """The score that runs are ordered by: MIG where there is one, else the negative ELBO."""
    groups = record.by_data[data]
    mig = [key for key in scores if key.partition("[")[0] == "mig"]
    return next(
        (k for k in [*mig, "negative_elbo"] if any(group.values(k) for group in groups)), None
    )


def _figure(found: StudyFigure) -> str:
    groups = len({row[0] for row in found.numbers[1:]})
    said = f"{found.title}: {groups} groups; the numbers are in the CSV below"
    link = f" {csv_link(found.numbers, found.name)}"
    uri = svg_uri(found.figure)
    return picture(uri, found.title, found.caption, said, name=found.name, more=link)


def _traversals(record: StudyRecord, shown: Mapping[str, Row], main: str) -> Iterator[str]:
    """Traversals of the best, the median and the worst run."""
    heading, form = column_of(main).heading, column_of(main).format
    yield f"<h3>Best, median and worst run by {html.escape(heading)}</h3>\n"
    yield '<div class="figures">\n'
    for place, row in shown.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is damaged is said on the page
            (run,), _ = find_runs([record.folder(row)])
        value = format(value_of(row, main) or 0.0, form)
        title = f"{place.capitalize()} run: {run.name}"
        if run.arrays(folder.TRAVERSALS):
            yield traversal_picture(run, title, f"{heading} {value}. {_PICTURES}")
        else:
            text = f"{title}, {heading} {value}: it has no traversals."
            yield f"<p>{html.escape(' '.join([text, *run.damage]))}</p>\n"
    yield "</div>\n"
