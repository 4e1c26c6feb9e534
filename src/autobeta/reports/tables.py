"""Runs as rows of numbers, one per run or one per group of seeds, and these as tables."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.control import Tracking, tracking
from autobeta.errors import printable
from autobeta.reports._formats import MarkedCell, MarkedTable
from autobeta.reports._load import RunRecord
from autobeta.reports._read import grouped
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
        {"run": run.name, "method": run.method, "seed": run.seed, **_about(run), **numbers(run)}
        for run in runs
    ]


def seed_rows(runs: Sequence[RunRecord]) -> list[Row]:
    """One row per group of runs that differ only by seed; numbers are `Spread`s over the seeds.

    Runs that were evaluated on other numbers of images, or at another step, have a row of their
    own, and so has each that is not finished, and what is a seed's second run or copy. A number
    is averaged over the seeds that have it.
    """
    rows = []
    for (_, turn), (first, *others) in _seed_groups(runs).items():
        found = [numbers(run) for run in (first, *others)]
        keys = dict.fromkeys(key for row in found for key in row)
        label = first.label + ("" if first.finished else ", unfinished")
        label += ", repeated" if turn else ""
        row: Row = {"label": label, "seeds": len(found), **_about(first)}
        rows.append(row | {key: _spread([n.get(key) for n in found]) for key in keys})
    return rows


def seed_groups(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """The runs of each row of `seed_rows`."""
    return list(_seed_groups(runs).values())


def _seed_groups(runs: Sequence[RunRecord]) -> dict[tuple[object, int], list[RunRecord]]:
    """Runs by what they share, and by how many runs of their seed came before."""
    known = grouped((run.group, run.sample) for run in runs if run.metrics)
    groups: dict[tuple[object, int], list[RunRecord]] = {}
    for run in sorted(runs, key=lambda run: not run.metrics):
        samples = set(known.get(run.group, ()))
        # one without an evaluation goes with the others
        sample = run.sample if run.metrics or len(samples) != 1 else samples.pop()
        shared = (run.group, sample, run.finished or run.name)
        turns = (groups.setdefault((shared, turn), []) for turn in count())
        next(own for own in turns if all(r.seed != run.seed for r in own)).append(run)
    return groups


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
    return scores_of(run.metrics)


def score_curves(run: RunRecord) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of each score that was taken before the end, the end's last.

    Those of another number of images than the last evaluation's are left out.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    last_line = run.evaluations[-1] if run.evaluations else {}
    images = (run.metrics or last_line).get("num_points")
    for line in [own for own in run.evaluations if own.get("num_points", images) == images]:
        for name, value in scores_of(line).items():
            if value is not None:
                found.setdefault(name, []).append((line["step"], value))
    (_, end), last = run.sample, scores(run)
    for name, points in found.items():
        value = last.get(name)
        if end is not None and value is not None and end > points[-1][0]:
            points.append((end, value))
    return found


def scores_of(evaluation: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The scores of what an evaluation found, as `scores` has them."""
    found: dict[str, float | int | None] = {}
    for name, value in (evaluation.get("metrics") or {}).items():
        if isinstance(value, dict):
            found |= {f"{name} {part}": number for part, number in value.items()}
        else:
            found[name] = value
    return {printable(name): value for name, value in found.items()}


def table(
    rows: Sequence[Row], marks: Sequence[Mapping[str, tuple[str, ...]]] = (), caption: str = ""
) -> MarkedTable:
    """Rows as a table; the columns are those where some row has a value, in order of appearance.

    A missing value is blank. `marks` are those of each row, by key.
    """
    keys = [key for key in _in_order(rows) if any(row.get(key) is not None for row in rows)]
    headings = [column(key).heading for key in keys]
    marked = zip(rows, marks or [{}] * len(rows), strict=True)
    cells = [[_cell(row, key, found.get(key, ())) for key in keys] for row, found in marked]
    return MarkedTable(headings, cells, caption)


def transposed(table: MarkedTable, corner: str) -> MarkedTable:
    """The table with rows and columns exchanged; the first column becomes the headings."""
    labels, *columns = zip(*table.cells, strict=True)
    headings = [corner, *(cell.text for cell in labels)]
    named = zip(table.headings[1:], columns, strict=True)
    cells = [[MarkedCell(name), *column] for name, column in named]
    return table._replace(headings=headings, cells=cells, turned=True)


def beside(table: MarkedTable) -> MarkedTable:
    """The table with each held-out number in the cell of the other split's, after a slash."""
    headings = [heading for heading in table.headings if not heading.endswith(HELD_OUT)]
    cells = []
    for row in table.cells:
        named = dict(zip(table.headings, row, strict=True))
        both = [(named[heading], named.get(heading + HELD_OUT)) for heading in headings]
        cells.append([cell if other is None else _joined(cell, other) for cell, other in both])
    return table._replace(headings=headings, cells=cells)


def _joined(cell: MarkedCell, other: MarkedCell) -> MarkedCell:
    named = tuple((f"{HELD_OUT[2:]}, {name}", number) for name, number in other.more)
    return cell._replace(
        text="\u00a0/ ".join(filter(None, (cell.text, other.text))),
        more=(*cell.more, (HELD_OUT[2:], other.value), *named),
    )


def _about(run: RunRecord) -> Row:
    points, step = run.sample
    held_out = run.metrics.get("num_points_test")
    return {"data": run.data, "steps": step, "points": points, "points" + HELD_OUT: held_out}


def numbers(run: RunRecord) -> dict[str, float | int | None]:
    """Losses, last weights and scores of a run."""
    train, test = (run.evaluation.get(split) or {} for split in ("train", "test"))
    found: dict[str, float | int | None] = {}
    for key in _LOSSES:
        found |= {key: train.get(key), key + HELD_OUT: test.get(key)}
    last = run.log[-1] if run.log else {}
    beta, equivalent = last.get("beta"), last.get("equivalent_beta")
    found |= {"beta": beta, "equivalent_beta": None if equivalent == beta else equivalent}
    return found | scores(run)


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


def _cell(row: Row, key: str, marks: tuple[str, ...]) -> MarkedCell:
    value, form = row.get(key), column(key).format
    if not isinstance(value, Spread):
        plain = None if isinstance(value, str) else value
        return MarkedCell(number(value, form), plain, () if value is None else marks)
    mean = number(value.mean, form)
    other = ".1e" if "e" in mean else f".{len(mean.partition('.')[2])}f"
    text = mean + ("" if value.std is None else f"\u00a0±\u00a0{value.std:{other}}")
    low, high = value.interval or (None, None)
    if low is not None and high is not None:
        text += f" [{low:{other}},\u00a0{high:{other}}]"
    text += "" if value.n == row.get("seeds") else f" (n={value.n})"
    more = (("std", value.std), ("n", value.n), ("low", low), ("high", high))
    return MarkedCell(text, value.mean, marks, more)


def number(value: str | int | float | None, form: str) -> str:
    """A number in a format; very long ones are rounded."""
    if value is None or isinstance(value, str):
        return value or ""
    if not math.isfinite(value):
        return "never"  # the steps until KL settles
    return format(value, ".3g" if abs(value) >= _LONG and form[-1:] in "f%" else form)
