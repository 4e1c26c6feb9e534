"""Figures of a study on one data set: what seeds share and how far they spread.

Each has the numbers behind it, and a name that says what it shows.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autobeta.reports._bands import STRETCHES, Band, band, curves, hull
from autobeta.reports._formats import Cells
from autobeta.reports._html import slugs
from autobeta.reports._read import grouped
from autobeta.reports._study import HELD_OUT, StudyGroup, StudyRecord
from autobeta.reports._style import (
    COLOURS,
    LINES,
    MARKERS,
    Look,
    legend,
    looks,
    panels,
    short,
    steps_axis,
    style,
)
from autobeta.reports.figures import few_ticks, log_axis, roomy
from autobeta.reports.study_tables import column_of

WIDTH = 4.6
MOST_LABELS = 12  # groups that a legend names one by one

_BAND = (
    f"Line: median over seeds of their means in each of at most {STRETCHES} stretches of the "
    "training; band: from the lowest to the highest value of any seed there."
)
_KL = f"The KL of the code, in nats; dashed the set point, where there is one. {_BAND}"
_BETA = f"The effective weight of the KL against the reconstruction, logarithmic. {_BAND}"
_RATE = (
    "A point a run, a hull around the seeds of a group. Further left the code carries less, "
    "further down the images are closer to the originals; left and below at once is better."
)
_STRIP = "A point a seed; the stroke is their mean."


class StudyFigure(NamedTuple):
    """A figure with its name, its caption, and the numbers in it: headings, then rows."""

    name: str
    title: str
    caption: str
    figure: Figure
    numbers: Cells


def study_figures(record: StudyRecord, data: str, scores: Sequence[str]) -> Iterator[StudyFigure]:
    """The figures of a study's runs on some data; those that have something to show."""
    groups = record.by_data[data]
    look, place = study_looks(record.groups), slugs(record.by_data)[data]
    for distortion in ("mse", "bce"):
        yield from _rate_distortion(groups, distortion, look, place)
    logged = {group.label: curves(record, group) for group in groups}
    for name, title, text, key in (
        ("kl", "KL over training", _KL, "kl"),
        ("beta", "β over training", _BETA, "beta"),
    ):
        bands = {label: band(found[key]) for label, found in logged.items() if found[key]}
        targets = {label: band(found["target"]) for label, found in logged.items()}
        if bands:
            shown = [group for group in groups if group.label in bands]
            yield _over_steps(shown, bands, targets if key == "kl" else {}, look)._replace(
                name=f"{place}-{name}", title=title, caption=text
            )
    for key, name in slugs(scores).items():
        yield from _strip(groups, key, look, f"{place}-{name}")


def study_looks(groups: Sequence[StudyGroup]) -> dict[str, Look]:
    """A colour for each group where they are few, else one for each method."""
    labels = list(dict.fromkeys(group.label for group in groups))
    if len(labels) > len(COLOURS):
        return looks(groups)
    return {
        label: Look(colour, marker, LINES[0])
        for label, colour, marker in zip(labels, COLOURS, MARKERS, strict=False)
    }


def legend_names(groups: Sequence[StudyGroup]) -> dict[str, str]:
    """What the legend has for each group: its label, or of many groups one for each method."""
    if len({group.label for group in groups}) <= MOST_LABELS:
        return {group.label: group.label for group in groups}
    first = {group.method: group.label for group in reversed(groups)}
    return {g.label: g.method if first[g.method] == g.label else "" for g in groups}


def _rate_distortion(
    groups: Sequence[StudyGroup], distortion: str, look: Mapping[str, Look], place: str
) -> Iterator[StudyFigure]:
    found = _pairs(groups, distortion, HELD_OUT)
    split = ", held-out" if found else ""
    found = found or _pairs(groups, distortion, "")
    if not found:
        return
    names = legend_names(groups)
    heading = column_of(distortion).heading.removesuffix(" ↓")
    with style():
        figure, (axis,) = panels(1, width=WIDTH, height=2.9)
        for label, seeds in found.items():
            colour, points = look[label].colour, list(seeds.values())
            corners = np.array([*hull(points), hull(points)[0]])
            axis.plot(*corners.T, color=colour, linewidth=0.7)
            axis.fill(*corners.T, color=colour, alpha=0.12, linewidth=0)
            dots: dict[str, Any] = {"ls": "", "mec": "white", "mew": 0.4, "ms": 5.5}
            dots |= {"color": colour, "marker": look[label].marker}
            axis.plot(*np.array(points).T, label=names[label], **dots)
        axis.set(xlabel=f"rate: KL (nats){split}", ylabel=f"distortion: {heading}")
        roomy(axis)
        few_ticks(axis)
        legend(figure, [axis], WIDTH)
    numbers: Cells = [["group", "seed", "kl", distortion]]
    numbers += [[label, seed, *xy] for label, seeds in found.items() for seed, xy in seeds.items()]
    end = "" if distortion == "mse" else f"-{distortion}"
    name = f"{place}-rate-distortion{end}"
    yield StudyFigure(name, f"Rate and distortion ({heading})", _RATE, figure, numbers)


def _pairs(
    groups: Sequence[StudyGroup], distortion: str, end: str
) -> dict[str, dict[int, tuple[float, float]]]:
    """KL and distortion by seed of each group; of the held-out split where every run has it."""
    found = {}
    for group in groups:
        kl, other = group.values("kl" + end), group.values(distortion + end)
        if end and len(other) < len(group.values(distortion)):
            return {}
        if both := {seed: (kl[seed], other[seed]) for seed in kl if seed in other}:
            found[group.label] = both
    return found


def _over_steps(
    groups: Sequence[StudyGroup],
    bands: Mapping[str, Band],
    targets: Mapping[str, Band],
    look: Mapping[str, Look],
) -> StudyFigure:
    """A panel for each method."""
    methods = grouped((group.method, group.label) for group in groups)
    names = legend_names(groups)
    numbers: Cells = [["group", "step", "median", "lowest", "highest", "set point"]]
    with style():
        figure, axes = panels(len(methods), width=WIDTH, height=1.75)
        for axis, (method, labels) in zip(axes, methods.items(), strict=True):
            for label in labels:
                found, target = bands[label], targets.get(label)
                _draw_band(axis, names[label], found, look[label])
                aims = dict(zip(target.steps, target.middle, strict=True)) if target else {}
                if aims:
                    axis.plot(*zip(*aims.items(), strict=True), color="#222222", ls="--", lw=0.8)
                numbers += [
                    [label, *map(float, point), float(aims.get(point[0], np.nan))]
                    for point in zip(*found, strict=True)
                ]
            axis.set_title(short(method, WIDTH))
            _vertical(axis, is_kl=bool(targets))
        steps_axis(axes[-1])
        legend(figure, axes, WIDTH)
    return StudyFigure("", "", "", figure, numbers)


def _draw_band(axis: Axes, name: str, found: Band, look: Look) -> None:
    steps, middle, low, high = found
    axis.fill_between(steps, low, high, color=look.colour, alpha=0.18, linewidth=0)
    axis.plot(steps, middle, color=look.colour, ls=look.line, lw=1.1, label=name)


def _vertical(axis: Axes, *, is_kl: bool) -> None:
    if is_kl:
        axis.set_ylabel("KL (nats)")
        axis.set_ylim(bottom=0)
        few_ticks(axis)
    else:
        axis.set_ylabel("effective β")
        log_axis(axis)


def _strip(
    groups: Sequence[StudyGroup], key: str, look: Mapping[str, Look], name: str
) -> Iterator[StudyFigure]:
    found = {group.label: values for group in groups if (values := group.values(key))}
    if not found:
        return
    heading = column_of(key).heading
    names = [textwrap.fill(short(label, 9.0), 23) for label in found]
    lines = max(name.count("\n") for name in names)
    with style():
        height = 0.45 + (0.24 + 0.12 * lines) * len(found)
        figure, (axis,) = panels(1, width=WIDTH, height=height)
        for place, (label, values) in enumerate(found.items()):
            marks: dict[str, Any] = {"color": look[label].colour, "alpha": 0.6, "ms": 4.5}
            points = list(values.values())
            axis.plot(points, [place] * len(points), "o", mew=0, **marks)
            axis.plot(np.mean(points), place, "|", color="#222222", ms=11, mew=1.4)
        axis.set_yticks(range(len(found)), names)
        axis.set_ylim(len(found) - 0.5, -0.5)
        axis.set_xlabel(heading)
    numbers: Cells = [["group", "seed", key]]
    numbers += [[label, seed, v] for label, values in found.items() for seed, v in values.items()]
    yield StudyFigure(name, heading, _STRIP, figure, numbers)
