"""Runs as rows of numbers, one per run or one per group of seeds; text in HTML."""

import html
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from autobeta import registry
from autobeta.control import Tracking, tracking
from autobeta.reports._load import RunRecord
from autobeta.reports._read import grouped, printable
from autobeta.study.statistics import summary

HELD_OUT = ", held-out"


class Spread(NamedTuple):
    """Mean and sample standard deviation over `n` seeds, and the 95 % interval of the mean.

    A single seed has neither deviation nor interval.
    """

    mean: float
    std: float | None
    n: int
    interval: tuple[float, float] | None = None


Value = str | int | float | Spread | None
Row = dict[str, Value]


class Table(NamedTuple):
    """A table as text: its headings, and its cells row by row; a missing value is blank."""

    headings: list[str]
    cells: list[list[str]]


class Column(NamedTuple):
    """How a column is headed, and its numbers are written."""

    heading: str
    format: str
    better: str = ""  # an arrow to the better side


_COLUMNS = {
    "run": Column("run", ""),
    "label": Column("method", ""),
    "method": Column("method", ""),
    "data": Column("data", ""),
    "steps": Column("steps", ",d"),
    "seed": Column("seed", "d"),
    "seeds": Column("n (seeds)", "d"),
    "points": Column("evaluated on (images)", ",d"),
    "reconstruction": Column("reconstruction (nats)", ".2f", "↓"),
    "kl": Column("KL (nats)", ".2f"),
    "elbo": Column("ELBO (nats)", ".2f", "↑"),
    "negative_elbo": Column("negative ELBO (nats)", ".2f", "↓"),
    "mse": Column("MSE (per pixel)", "#.3g", "↓"),
    "psnr": Column("PSNR (dB)", ".2f", "↑"),
    "ssim": Column("SSIM", ".4f", "↑"),
    "bce": Column("BCE (nats)", ".2f", "↓"),
    "active_latents": Column("active latents", ".3g"),
    "beta": Column("final β", ".3g"),
    "equivalent_beta": Column("equivalent β", ".3g"),
    "near": Column("within 0.5 nats", ".1%"),
    "error": Column("rms error (nats)", ".2f"),
    "excess": Column("largest excess (nats)", ".2f"),
    "lack": Column("largest lack (nats)", ".2f"),
    "overshoot": Column("overshoot", ".1%"),
    "settling": Column("settling (steps)", ".0f"),
    "at_bound": Column("β at a bound", ".1%"),
    "at_max": Column("at its upper", ".1%"),
    "swing": Column("swing (nats)", ".2f"),
    "period": Column("its period (steps)", ".0f"),
}
_SCORE = ".3f"
_LONG = 1e9  # a number from which on digits are left out
_LOSSES = ("reconstruction", "kl", "elbo", "mse", "psnr", "ssim", "bce", "active_latents")


def run_rows(runs: Sequence[RunRecord]) -> list[Row]:
    """One row per run: what it is, its losses on the evaluation sample, its last β and its scores.

    Keys of the held-out split end in `HELD_OUT`. The equivalent β is there only where it differs.
    """
    return [
        {"run": run.name, "method": run.method, "seed": run.seed, **_about(run), **_numbers(run)}
        for run in runs
    ]


def seed_rows(runs: Sequence[RunRecord]) -> list[Row]:
    """One row per group of runs that differ only by seed; numbers are `Spread`s over the seeds.

    Runs that were evaluated on other numbers of images, or at another step, have a row of their
    own, and so has each that is not finished. A number is averaged over the seeds that have it.
    """
    known = grouped((run.group, run.sample) for run in runs if run.metrics)
    groups: dict[object, list[RunRecord]] = {}
    for run in sorted(runs, key=lambda run: not run.metrics):
        samples = set(known.get(run.group, ()))
        # one without an evaluation goes with the others
        sample = run.sample if run.metrics or len(samples) != 1 else samples.pop()
        groups.setdefault((run.group, sample, run.finished or run.name), []).append(run)
    rows = []
    for first, *others in groups.values():
        numbers = [_numbers(run) for run in (first, *others)]
        keys = dict.fromkeys(key for row in numbers for key in row)
        label = first.label + ("" if first.finished else ", unfinished")
        row: Row = {"label": label, "seeds": len(numbers), **_about(first)}
        rows.append(row | {key: _spread([n.get(key) for n in numbers]) for key in keys})
    return rows


def control_rows(tracks: Sequence[tuple[RunRecord, Tracking]]) -> list[Row]:
    """One row per run that has a set point: how well its KL followed it."""
    unknown = {"at_bound": None, "at_max": None}  # without a controller
    return [
        {"run": run.name, **found._asdict()} | ({} if run.is_controlled else unknown)
        for run, found in tracks
    ]


def tracked(run: RunRecord) -> Tracking | None:
    """How well the KL of a run followed its set point; None where it has none."""
    rows = [row for row in run.log if None not in (row.get("kl_average"), row.get("beta"))]
    return tracking(rows, **run.bounds) if rows else None


def scores(run: RunRecord) -> dict[str, float | int | None]:
    """Scores by printed name; the parts of a score follow its name after a space."""
    found: dict[str, float | int | None] = {}
    for name, value in (run.metrics.get("metrics") or {}).items():
        if isinstance(value, dict):
            found |= {f"{name} {part}": number for part, number in value.items()}
        else:
            found[name] = value
    return {printable(name): value for name, value in found.items()}


def table(rows: Sequence[Row]) -> Table:
    """Rows as text; the columns are those where some row has a value, in order of appearance."""
    keys = [key for key in _in_order(rows) if any(row.get(key) is not None for row in rows)]
    headings = [column(key).heading for key in keys]
    return Table(headings, [[_cell(row, key) for key in keys] for row in rows])


def transposed(table: Table, corner: str) -> Table:
    """The table with rows and columns exchanged; the first column becomes the headings."""
    columns = list(zip(table.headings, *table.cells, strict=True))
    return Table([corner, *columns[0][1:]], [list(column) for column in columns[1:]])


def beside(table: Table) -> Table:
    """The table with each held-out number in the cell of the other split's, after a slash."""
    headings = [heading for heading in table.headings if not heading.endswith(HELD_OUT)]
    cells = []
    for row in table.cells:
        named = dict(zip(table.headings, row, strict=True))
        both = [(named[heading], named.get(heading + HELD_OUT, "")) for heading in headings]
        cells.append(["\u00a0/ ".join(filter(None, pair)) for pair in both])
    return Table(headings, cells)


def to_html(table: Table, *, caption: str) -> str:
    """The table as HTML; each cell carries its heading, so that a narrow screen can stack them."""
    head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in table.headings)
    body = ""
    for first, *others in table.cells:
        named = zip(table.headings[1:], others, strict=True)
        cells = [f'<td data-label="{html.escape(h)}">{html.escape(c)}</td>' for h, c in named]
        body += f'<tr><th scope="row">{html.escape(first)}</th>{"".join(cells)}</tr>\n'
    return (
        f"<table><caption>{html.escape(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"
    )


def _about(run: RunRecord) -> Row:
    points, step = run.sample
    held_out = run.metrics.get("num_points_test")
    return {"data": run.data, "steps": step, "points": points, "points" + HELD_OUT: held_out}


def _numbers(run: RunRecord) -> dict[str, float | int | None]:
    train, test = (run.evaluation.get(split) or {} for split in ("train", "test"))
    numbers: dict[str, float | int | None] = {}
    for key in _LOSSES:
        numbers |= {key: train.get(key), key + HELD_OUT: test.get(key)}
    last = run.log[-1] if run.log else {}
    beta, equivalent = last.get("beta"), last.get("equivalent_beta")
    numbers |= {"beta": beta, "equivalent_beta": None if equivalent == beta else equivalent}
    return numbers | scores(run)


def _spread(values: Sequence[float | int | None]) -> Spread | None:
    found = summary(values)
    if found.mean is None:
        return None
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return Spread(found.mean, found.std, found.n, ends)


def _in_order(rows: Sequence[Row]) -> list[str]:
    """Keys of all rows: known columns in their order, then scores in order of appearance."""
    keys = dict.fromkeys(key for row in rows for key in row)
    known = [k for base in _COLUMNS for k in (base, base + HELD_OUT) if k in keys]
    return known + [key for key in keys if key not in known]


def column(key: str) -> Column:
    """Column of a loss, a score or a fact about a run."""
    base = key.removesuffix(HELD_OUT)
    found = _COLUMNS.get(base) or Column(base, _SCORE, _better(re.split(r"[\[ ]", base)[0]))
    arrow = f" {found.better}" if found.better else ""
    return found._replace(heading=found.heading + arrow + key[len(base) :])


def _better(metric: str) -> str:
    """An arrow to the better side of a score, for a metric that there is."""
    known = metric in registry.available("metrics")
    higher = registry.describe("metrics", metric).get("HIGHER_IS_BETTER") if known else None
    return ("↑" if higher else "↓") if isinstance(higher, bool) else ""


def _cell(row: Row, key: str) -> str:
    value, form = row.get(key), column(key).format
    if not isinstance(value, Spread):
        return number(value, form)
    mean = number(value.mean, form)
    other = ".1e" if "e" in mean else f".{len(mean.partition('.')[2])}f"
    std = "" if value.std is None else f"\u00a0±\u00a0{value.std:{other}}"
    if value.interval:
        low, high = value.interval
        std += f" [{low:{other}}, {high:{other}}]"
    fewer = "" if value.n == row.get("seeds") else f" (n={value.n})"
    return mean + std + fewer


def number(value: str | int | float | None, form: str) -> str:
    """A number in a format; very long ones are rounded."""
    if value is None or isinstance(value, str):
        return value or ""
    if not math.isfinite(value):
        return "never"  # the steps until KL settles
    return format(value, ".3g" if abs(value) >= _LONG and form[-1:] in "f%" else form)
