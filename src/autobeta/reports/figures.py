"""Figures of curves and numbers; each returns a matplotlib Figure fit for a paper.

Each takes runs as `load_runs` reads them, of which it leaves out those that lack what it shows,
and a width in inches. With nothing to show it raises ValueError.
"""

from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from autobeta.reports._load import MAX_POINTS, RunRecord, curve
from autobeta.reports._read import grouped
from autobeta.reports._style import GREY, INK, legend, looks, panels, short, steps_axis, style
from autobeta.reports.tables import score_curves
from autobeta.run import folder

WIDTH = 6.4
MOST_BARS = 32  # latents of a run
MOST_SCORES = 8
MOST_POINTS = 20_000  # of all curves of a figure together

_beta = methodcaller("get", "beta")  # of a line of the log


def kl_over_steps(runs: Sequence[RunRecord], *, width: float = WIDTH) -> Figure:
    """KL over training, a panel per group of seeds, and dashed the target where one is logged.

    The KL drawn is the mean since the previous logged step where that is logged.
    """
    logged = _need([run for run in runs if run.log], "logged step")
    groups = grouped((run.label, run) for run in logged)
    look, most = looks(runs), _most(logged)
    with style():
        figure, axes = panels(len(groups), width=width, height=1.75)
        for axis, (label, members) in zip(axes, groups.items(), strict=True):
            for run in members:
                axis.plot(*curve(run, kl_of, most), color=look[label].colour, linewidth=1)
            for run in members:
                steps, target = curve(run, methodcaller("get", "target"), most)
                if len(steps):
                    axis.plot(steps, target, color=INK, linestyle="--", linewidth=1)
            seeds = f" ({len(members)} seeds)" if len(members) > 1 else ""
            axis.set(title=short(label, width - 1) + seeds, ylabel="KL (nats)")
            axis.set_ylim(bottom=0)
            dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
            if dashed:
                axis.legend(dashed[:1], ["target"])
            few_ticks(axis)
        steps_axis(axes[-1])
        for axis in axes[:-1]:
            axis.sharex(axes[-1])
            axis.tick_params(labelbottom=False)
    return figure


def beta_over_steps(runs: Sequence[RunRecord], *, width: float = WIDTH) -> Figure:
    """Effective β over training, logarithmic, and below it the equivalent β where it differs."""
    logged = _need([run for run in runs if len(curve(run, _beta)[0])], "logged `beta`")
    differing = [run for run in logged if any(_beta(r) != _equivalent(r) for r in run.log)]
    shown = {"effective β": _beta} | ({"equivalent β": _equivalent} if differing else {})
    groups = grouped((run.label, run) for run in logged)
    look, most = looks(runs), _most(logged)
    with style():
        figure, axes = panels(len(shown), width=width, height=2.2)
        for axis, (title, value) in zip(axes, shown.items(), strict=True):
            for label, members in groups.items():
                colour, _, dashes = look[label]
                for number, run in enumerate(members):
                    name = "" if number else label
                    axis.plot(*curve(run, value, most), c=colour, ls=dashes, label=name)
            axis.set_ylabel(title)
            log_axis(axis)
            steps_axis(axis)
        legend(figure, axes, width)
    return figure


def scores_over_steps(runs: Sequence[RunRecord], *, width: float = WIDTH) -> Figure:
    """Scores over training, a panel per score, of runs that were evaluated before their end.

    Of many scores the first ones are drawn.
    """
    known = _need([run for run in runs if run.evaluations], "evaluation before the end")
    curves = {run.path: score_curves(run) for run in known}
    names = list(dict.fromkeys(name for found in curves.values() for name in found))[:MOST_SCORES]
    if not names:
        raise ValueError("`runs` must hold at least one score by step; got none.")
    groups, look = grouped((run.label, run) for run in known), looks(runs)
    with style():
        figure, axes = panels(len(names), width=width, height=1.5)
        for axis, name in zip(axes, names, strict=True):
            for label, members in groups.items():
                colour, mark, dashes = look[label]
                for number, run in enumerate(members):
                    points = np.array(curves[run.path].get(name, ())).reshape(-1, 2).T
                    shown = "" if number else label
                    axis.plot(*points, c=colour, ls=dashes, marker=mark, ms=3, label=shown)
            axis.set_title(short(name, width))
            few_ticks(axis)
            steps_axis(axis)
        for axis in axes[:-1]:
            axis.sharex(axes[-1])
            axis.set_xlabel("")
            axis.tick_params(labelbottom=False)
        legend(figure, axes, width)
    return figure


def rate_distortion(
    runs: Sequence[RunRecord], *, distortion: str = "mse", width: float = WIDTH
) -> Figure:
    """The rate-distortion plane: KL against `mse` or `bce` of the mean image, a point per run.

    A panel per data set; the held-out split is taken where all its runs have one.
    """
    names = {"mse": "MSE (per pixel)", "bce": "BCE (nats per image)"}
    if distortion not in names:
        raise ValueError(f"`distortion` must be one of {sorted(names)}; got {distortion!r}.")
    found = [run for run in runs if has_distortion(run, distortion)]
    evaluated = grouped((run.data, run) for run in _need(found, f"evaluated `{distortion}`"))
    dots: dict[str, Any] = {"ls": "", "mec": "white", "mew": 0.6, "ms": 7.5}
    look = looks(runs)
    with style():
        figure, axes = panels(len(evaluated), width=width, height=2.9)
        for axis, (data, members) in zip(axes, evaluated.items(), strict=True):
            split = "test" if all("test" in run.evaluation for run in members) else "train"
            for label, alike in grouped((run.label, run) for run in members).items():
                x, y = ([run.evaluation[split][k] for run in alike] for k in ("kl", distortion))
                marks = dots | {"color": look[label].colour, "marker": look[label].marker}
                axis.plot(x, y, label=label, **marks)
            held_out = ", held-out split" if split == "test" else ""
            axis.set_title(short(data, width - 1) + held_out)
            axis.set(xlabel="rate: KL (nats per image)", ylabel=f"distortion: {names[distortion]}")
            roomy(axis)
            few_ticks(axis)
        legend(figure, axes, width)
    return figure


def latent_kl(
    runs: Sequence[RunRecord], *, among: Sequence[RunRecord] = (), width: float = WIDTH
) -> Figure:
    """The largest KLs of latents, sorted, a panel per run; dead latents are grey.

    Where the runs are some of those in a report, `among` is all of them, so that colours agree.
    """
    known = _need([run for run in runs if kl_per_latent(run) is not None], "KL per latent")
    look = looks(among or runs)
    small: dict[str, Any] = {"ha": "center", "size": 8, "color": INK}
    with style():
        figure, axes = panels(len(known), width=width, height=1.75)
        for axis, run in zip(axes, known, strict=True):
            kl = np.nan_to_num(np.array(kl_per_latent(run), dtype=float))
            order, dead = np.argsort(-kl, kind="stable")[:MOST_BARS], dead_latents(run)
            colours = [GREY if int(d) in dead else look[run.label].colour for d in order]
            axis.bar(range(len(order)), kl[order], color=colours, width=0.75)
            for place, latent in enumerate(order):
                if int(latent) in dead:
                    axis.text(place, kl[latent], "dead", va="bottom", **small)
            axis.set_xticks(range(len(order)), [str(d) for d in order])
            axis.grid(visible=False, axis="x")
            axis.set(title=short(run.name, width), ylabel="KL (nats)")
            axis.yaxis.set_major_locator(MaxNLocator(4))
        axes[-1].set_xlabel("latent (number)")
    return figure


def has_distortion(run: RunRecord, distortion: str) -> bool:
    """Whether every evaluated split of the run has its KL and this distortion."""
    parts = run.evaluation.values()
    return "train" in run.evaluation and all(
        part.get("kl") is not None and part.get(distortion) is not None for part in parts
    )


def kl_per_latent(run: RunRecord) -> list[float | int] | None:
    """KL of every latent in nats: over the evaluation sample, or that of the last logged step."""
    last = run.log[-1] if run.log else {}
    return run.metrics.get("kl_per_latent") or last.get("kl_per_latent") or None


def dead_latents(run: RunRecord) -> set[int]:
    """Latents that carry nothing about the image; empty where the run doesn't say."""
    arrays = run.arrays(folder.TRAVERSALS)
    return set(arrays["latents"][~arrays["active"]].tolist()) if arrays else set()


def kl_of(row: dict[str, Any]) -> float | int | None:
    """KL of a line of the log: the mean since the line before, where it has that."""
    average = row.get("kl_average")
    return (row.get("terms") or {}).get("kl") if average is None else average


def _equivalent(row: dict[str, Any]) -> float | int | None:
    equivalent = row.get("equivalent_beta")
    return _beta(row) if equivalent is None else equivalent


def _need(runs: list[RunRecord], what: str) -> list[RunRecord]:
    if not runs:
        raise ValueError(f"`runs` must hold a run with a {what}; got none. Leave this figure out.")
    return runs


def _most(runs: Sequence[RunRecord]) -> int:
    return max(100, min(MAX_POINTS, MOST_POINTS // len(runs)))


def roomy(axis: Axes) -> None:
    """Limits half as wide as the largest value at least: a small difference shall look small."""
    for name in ("x", "y"):
        low, high = getattr(axis.dataLim, f"interval{name}")
        spare = 0.12 * (high - low) + max(0.0, abs(high) / 2 - (high - low)) / 2
        axis.set(**{f"{name}lim": (low - spare, high + spare + (spare == 0))})


def few_ticks(axis: Axes) -> None:
    """Few ticks on both axes."""
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_locator(MaxNLocator(4))


def log_axis(axis: Axes) -> None:
    """Logarithmic vertical axis of at least one decade; linear around zero if a value is below."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axis.lines])
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return
    plain = FuncFormatter(lambda y, _: f"{y:g}")
    if (values < 0).any():
        axis.set_yscale("symlog", linthresh=float(sizes.min()))
        axis.yaxis.set_major_formatter(plain)
        return
    axis.set_yscale("log", nonpositive="mask")
    low, high = float(sizes.min()), float(sizes.max())
    spare = max(1.25, (10 * low / high) ** 0.5)
    axis.set_ylim(low / spare, high * spare)
    axis.yaxis.set_major_locator(LogLocator(numticks=6))
    axis.yaxis.set_major_formatter(plain)
    axis.yaxis.set_minor_formatter(NullFormatter())
