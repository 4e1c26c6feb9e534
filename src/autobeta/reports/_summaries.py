"""What a study says beyond its tables of means: ranks, comparisons, UDR, errors, its budget."""

import itertools
import statistics
from collections.abc import Hashable, Sequence
from typing import Any

from autobeta.errors import printable
from autobeta.reports._formats import MarkedCell, MarkedTable
from autobeta.reports._read import grouped
from autobeta.reports._study import TRACKING, StudyGroup, StudyRecord, value_of
from autobeta.reports.study_tables import better, column_of, mean_cell, spread
from autobeta.reports.tables import column
from autobeta.study.representations import HALVES, MOST_RUNS, POINTS, agreement, own_error
from autobeta.study.statistics import (
    estimation_error,
    interquartile_mean,
    probability_of_improvement,
    ranks,
    summary,
)
from autobeta.study.table import Row

ENOUGH = 5
"""Seeds from which on the interval of a rank or a middle mean says something."""
MOST_ERRORS = 24
"""Groups of a study whose score's own error is found: each takes a second."""

_RANKS = (
    "Mean rank over {n} pairs of a data set and a score, 1 the best, with the 95 % interval of a "
    "bootstrap over these pairs; scores of the same runs depend on each other, which makes it too "
    "narrow. Groups without any score take no part, and no pair does that a group lacks."
)
_AGAINST = (
    "{data}. Probability that a run is better than one of {baseline}, any seed against any other, "
    "with the 95 % interval of a bootstrap over seeds; .5 is no difference. Below 5 seeds such an "
    "interval holds too seldom, so there is none."
)
_MIDDLE = (
    "{data}. Interquartile mean: of the middle half of the seeds, from 5 seeds on with its 95 % "
    "interval (Yuen's t below 8 seeds, else the BCa bootstrap); up to 3 seeds their plain mean."
)
_UDR = (
    "{data}. UDR: how much each run agrees with the other seeds of its group, found without any "
    f"labels, on at most {POINTS:,} of the evaluated images and {MOST_RUNS} seeds. The run of the "
    "highest UDR is the one to choose where there are no labels; below five seeds it says little."
)
_ERROR = (
    "{data}. How much of the spread of {score} over seeds is the score's own estimation error. "
    f"Own error: standard error of the score, from {HALVES} random halves of the points of the "
    "run in the middle, taken for that of every seed. Share: of it in the variance over seeds, an "
    "upper estimate, and a rough one for few seeds."
)
_TRACKING = (
    "{data}. How well KL followed its set point after the first tenth of each run; mean ± "
    "standard deviation over seeds, 95 % interval."
)
_BUDGET = (
    "What the runs took: steps and images of each, their mean where patience ended some early; "
    "hours of all its seeds together, images per second the median of the runs."
)


def rank_table(record: StudyRecord, scores: Sequence[str]) -> MarkedTable | None:
    """Mean ranks of the groups over all scores and data sets; None for fewer than two groups."""
    means: dict[str, dict[Hashable, float | None]] = {}
    directions: dict[Hashable, bool] = {}
    for group, key in itertools.product(record.groups, scores):
        mean, side = summary(group.values(key).values()).mean, better(key)
        if mean is not None and side is not None:
            means.setdefault(group.label, {})[group.data, key] = mean
            directions[group.data, key] = side
    found = ranks(means, directions)
    if len(means) < 2 or not found.n:
        return None
    cells = [
        [
            MarkedCell(label),
            MarkedCell(spread(r.mean, None, r[1:], ".2f"), r.mean, (), _interval(r[1:])),
        ]
        for label, r in sorted(found.by_method.items(), key=lambda item: item[1].mean)
    ]
    return MarkedTable(["method", "mean rank"], cells, _RANKS.format(n=found.n), record.notice)


def against_baseline(record: StudyRecord, data: str, scores: Sequence[str]) -> MarkedTable | None:
    """How likely each group is to beat the first one, by score."""
    first, *others = record.by_data[data]
    known = [key for key in scores if better(key) is not None and first.values(key)]
    cells = []
    for group in others:
        row = [MarkedCell(group.label)]
        for key in known:
            a, b = group.values(key).values(), first.values(key).values()
            found = probability_of_improvement(a, b, bool(better(key)))
            few = min(len(a), len(b)) < ENOUGH
            ends = (None, None) if few else (found.low, found.high)
            text = spread(found.probability, None, ends, ".2f")
            row.append(MarkedCell(text, found.probability, (), _interval(ends)))
        cells.append(row)
    caption = _AGAINST.format(data=data, baseline=first.label)
    return _table(record, ["method", *_headings(known)], cells, caption)


def middle_means(record: StudyRecord, data: str, scores: Sequence[str]) -> MarkedTable | None:
    """Interquartile means of the scores."""
    groups = record.by_data[data]
    known = [key for key in scores if any(group.values(key) for group in groups)]
    cells = []
    for group in groups:
        row = [MarkedCell(group.label)]
        for key in known:
            found = interquartile_mean(group.values(key).values())
            few = found.n if found.n == 1 else None
            ends = (None, None) if found.n < ENOUGH else (found.low, found.high)
            text = spread(found.mean, None, ends, column_of(key).format, few)
            row.append(MarkedCell(text, found.mean, (), (("n", found.n), *_interval(ends))))
        cells.append(row)
    return _table(record, ["method", *_headings(known)], cells, _MIDDLE.format(data=data))


def agreements(record: StudyRecord, data: str, main: str) -> MarkedTable | None:
    """UDR of the seeds of each group, and the run to choose by it."""
    cells = []
    for group in record.by_data[data]:
        rows = {record.folder(row): row for row in group.finished}
        if not (found := agreement(list(rows))):
            continue
        highest = max(found, key=found.__getitem__)
        udr = summary(found.values())
        chosen = value_of(rows[highest], main)
        cells.append(
            [
                MarkedCell(group.label),
                MarkedCell(str(len(found)), len(found)),
                mean_cell(udr._replace(low=None, high=None), ".3f"),
                MarkedCell(f"{printable(highest.name)}: {found[highest]:.3f}", found[highest]),
                MarkedCell(spread(chosen, None, (None, None), column_of(main).format), chosen),
            ]
        )
    headings = ["method", "n (seeds)", "UDR", "run of the highest UDR"]
    headings.append(f"its {column_of(main).heading}")
    return _table(record, headings, cells, _UDR.format(data=data))


def own_errors(record: StudyRecord, data: str, main: str) -> MarkedTable | None:
    """The estimation error of a score beside its spread over seeds, for the first groups."""
    groups = [group for group in record.by_data[data] if len(group.values(main)) > 1]
    most = max(1, MOST_ERRORS // len(record.by_data))
    cells = []
    for group in groups[:most]:
        reach = own_error(
            record.folder(_ordered([group], main)[len(group.values(main)) // 2]), main
        )
        if reach is None:
            continue
        values = list(group.values(main).values())
        found = estimation_error(values, [(v - reach, v + reach) for v in values], halves=HALVES)
        numbers = [(found.own, ".4f"), (found.observed, ".4f"), (found.share, ".0%")]
        texts = [
            MarkedCell(spread(value, None, (None, None), form), value) for value, form in numbers
        ]
        cells.append([MarkedCell(group.label), *texts])
    left_out = len(groups) - most
    caption = _ERROR.format(data=data, score=main)
    caption += f" The first {most} groups; {left_out} are left out." if left_out > 0 else ""
    headings = ["method", "own error", "std over seeds", "share of the own error"]
    return _table(record, headings, cells, caption)


def followings(record: StudyRecord, data: str) -> MarkedTable | None:
    """How the KL of controlled groups followed its set point."""
    groups = record.by_data[data]
    names = [key for key in (record.table or [{}])[0] if key.startswith(TRACKING)]
    known = [key for key in names if any(group.values(key) for group in groups)]
    cells = []
    for group in groups:
        if not any(group.values(key) for key in known):
            continue
        row = [MarkedCell(group.label)]
        for key in known:
            found = summary(group.values(key).values())
            form = column(key.removeprefix(TRACKING)).format
            few = found.n if found.n < len(group.finished) or found.n == 1 else None
            row.append(mean_cell(found, form, few))
        cells.append(row)
    headings = [column(key.removeprefix(TRACKING)).heading for key in known]
    return _table(record, ["method", *headings], cells, _TRACKING.format(data=data))


def budget(record: StudyRecord) -> MarkedTable:
    """Steps, batch, images, hours and speed of each group, and where its data came from."""
    headings = [
        "method",
        "data",
        "steps",
        "batch",
        "images",
        "hours",
        "images/s",
        "source of data",
    ]
    cells = []
    for group in record.groups:
        batch = int(group.rows[0]["batch_size"] or 0)
        lengths = [int(row.get("stopped_at") or row["steps"] or 0) for row in group.rows]
        steps = round(statistics.mean(lengths))
        hours = [h for row in group.rows if (h := value_of(row, "hours")) is not None]
        speeds = [s for row in group.rows if (s := value_of(row, "images_per_second"))]
        sources = dict.fromkeys(
            printable(str(r["data_source"])) for r in group.rows if r.get("data_source")
        )
        numbers: list[tuple[Any, str]] = [(steps, ",d"), (batch, ",d"), (steps * batch, ",d")]
        numbers.append((sum(hours) if hours else None, ".2f"))
        numbers.append((statistics.median(speeds) if speeds else None, ",.0f"))
        texts = [MarkedCell("" if n is None else format(n, form), n) for n, form in numbers]
        cells.append(
            [
                MarkedCell(group.label),
                MarkedCell(group.data),
                *texts,
                MarkedCell(", ".join(sources)),
            ]
        )
    return MarkedTable(headings, cells, _BUDGET, record.notice)


def origins(record: StudyRecord) -> dict[str, list[str]]:
    """Versions, commits and machines of the runs, each with the number of runs."""
    names = {"autobeta": "autobeta", "commit": "commit", "torch": "torch", "python": "Python"}
    names |= {"device_name": "machine", "device": "device"}
    found = {}
    for key, name in names.items():
        rows = grouped((printable(str(r[key])), r) for r in record.table if r.get(key))
        if rows:
            found[name] = [f"{value} ({len(own)} runs)" for value, own in rows.items()]
    return found


def shown_runs(groups: Sequence[StudyGroup], main: str) -> dict[str, Row]:
    """The best, the median and the worst finished run by a score, as far as they are several."""
    ordered = _ordered(groups, main)
    if not ordered:
        return {}
    last = len(ordered) - 1
    places = {"best": 0, "median": last // 2, "worst": last}
    taken: dict[int, str] = {}
    for name, place in places.items():
        taken.setdefault(place, name)
    return {name: ordered[place] for place, name in taken.items()}


def _ordered(groups: Sequence[StudyGroup], key: str) -> list[Row]:
    """Finished runs that have a number, the best first."""
    sign = -1 if better(key) else 1
    known = [(value_of(row, key), row) for group in groups for row in group.finished]
    numbers = [(sign * value, row) for value, row in known if value is not None]
    return [row for _, row in sorted(numbers, key=lambda pair: pair[0])]


def _interval(ends: tuple[float | None, float | None]) -> tuple[tuple[str, float | None], ...]:
    return (("low", ends[0]), ("high", ends[1]))


def _headings(keys: Sequence[str]) -> list[str]:
    return [column_of(key).heading for key in keys]


def _table(
    record: StudyRecord, headings: list[str], cells: list[list[MarkedCell]], caption: str
) -> MarkedTable | None:
    """A table, where it has both rows and columns of numbers."""
    if not cells or len(headings) < 2:
        return None
    return MarkedTable(headings, cells, caption, record.notice)
