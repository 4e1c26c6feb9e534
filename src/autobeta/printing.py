"""What the commands print: tables of results, lists, facts about data, the loop of a run."""

import math
import sys
from dataclasses import fields
from typing import Any

from rich.console import Console
from rich.table import Table

from autobeta import registry
from autobeta.control import LoopReport, Suggestion, advice
from autobeta.control import tracking as tracked
from autobeta.control.suggestion import HEADROOM, LONGEST, SLOWER


def results(result: dict[str, Any]) -> None:
    """Losses and scores of an evaluation."""
    table = Table("", *result["evaluation"], title=f"{result['num_points']} images")
    for name in next(iter(result["evaluation"].values())):
        table.add_row(name, *(f"{part[name]:.4g}" for part in result["evaluation"].values()))
    Console().print(table)
    if result["metrics"]:
        scores(result["metrics"], {})


def scores(found: dict[str, Any], ends: dict[str, Any]) -> None:
    """A table of scores, one row for each part of those that have parts."""
    table = Table("metric", "value", *(["95 % interval"] if ends else []))
    for name, value in found.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            row = [f"{name} {part}".strip(), f"{number:.4f}"]
            if ends:
                low, high = ends[name][part] if part else ends[name]
                row.append(f"{low:.4f} to {high:.4f}")
            table.add_row(*row)
    Console().print(table, markup=False)


def as_json(scores: dict[str, Any], ends: dict[str, Any]) -> dict[str, Any]:
    """Scores, with intervals where there are any; null for what is not finite."""
    found: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found[name] = as_json(value, ends.get(name, {}))
        elif name in ends:
            low, high = ends[name]
            numbers = {"value": value, "low": low, "high": high}
            found[name] = {key: _finite(number) for key, number in numbers.items()}
        else:
            found[name] = _finite(value)
    return found


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def tracking(log: list[dict[str, Any]], controller: Any) -> None:  # noqa: ANN401
    """How well KL followed its set point, and what to try if it did not."""
    if controller is None:
        return
    found = tracked(log, beta_min=controller.beta_min, beta_max=controller.beta_max)
    if found is None:
        return
    print(
        f"KL was within 0.5 nats of its set point in {found.near:.0%} of the log's lines after "
        "the first tenth."
    )
    for sentence in advice(found, beta_min=controller.beta_min):
        print(f"warning: {sentence}", file=sys.stderr)


def loop(report: LoopReport) -> None:
    """The plant found from a log, what its loop does, and gains that would suit it."""
    plant = report.plant
    table = Table("", "value", title=f"from {plant.num_rises} rises of the set point")
    for name, text in {
        "gain": f"{plant.gain:.2f} nats for each e-fold of beta",
        "lag": f"{plant.lag:.0f} steps",
        "explained": f"{plant.explained:.0%} of what KL did after the rises",
        "gain margin": f"{report.margin:.1f} (unstable with a gain so many times larger)",
        "damping": f"{report.damping:.2f} (1: no swing)",
        "overshoot": f"{report.overshoot:.0%} of a rise",
        "gains that would suit it": f"kp {report.kp:.3g}, ki {report.ki:.3g}",
    }.items():
        table.add_row(name, text)
    Console().print(table)


def listing(folder: str) -> None:
    """The methods, data sets or metrics that there are, with their facts."""
    columns = {
        "methods": ["adapts", "settings", "presets", "source"],
        "data": ["doc", "source"],
        "metrics": ["doc", "range", "default", "variants", "source"],
    }[folder]
    table = Table(title=folder)
    for column in ["name", *columns]:
        table.add_column("what it is" if column == "doc" else column, overflow="fold")
    for name in registry.available(folder):
        facts = {key.lower(): fact for key, fact in registry.describe(folder, name).items()}
        table.add_row(name, *(_shown(column, facts.get(column, "")) for column in columns))
    Console().print(table)


def _shown(column: str, fact: Any) -> str:  # noqa: ANN401 - any literal
    """A fact as a table's cell."""
    if column == "doc":
        return str(fact).split("\n")[0]
    if column == "settings":
        return ", ".join(f"{name}={default}" for name, default in fact.items())
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return ", ".join(map(str, fact)) if isinstance(fact, dict | tuple | list) else str(fact)


def data_info(name: str, options: Any) -> None:  # noqa: ANN401 - DataOptions
    """Licence, factors, files and disk of a named data set; nothing is fetched."""
    module = registry.load("data", name)
    print(module.__doc__)
    kinds = getattr(module, "KINDS", {})
    sizes = module.FACTORS.items()
    if hasattr(module, "space_of"):  # a set of several variants
        space = module.space_of(options.variant or module.VARIANTS[0])
        sizes = zip(space.names, space.sizes, strict=True)
    facts = {
        "source": module.SOURCE,
        "licence": module.LICENSE,
        "disk": getattr(module, "DISK", ""),
        "factors": ", ".join(f"{factor} {size} {kinds.get(factor, '')}" for factor, size in sizes),
        "by hand": getattr(module, "BY_HAND", ""),
    }
    for label, fact in facts.items():
        if fact:
            print(f"{label}: {fact}")
    if hasattr(module, "official_files"):
        for file in module.official_files(options):
            size = f", {file.size:,} bytes" if file.size else ""
            print(f"file: {file.name}{size}, {file.url or 'no address'} {file.checksum}")
        print("Addresses were not tried when this version was made.")
    print(f"\n{module.CITATION}")


def suggestion(found: Suggestion, options: Any) -> None:  # noqa: ANN401 - options.Suggest
    """A proposal with its reasons, and the commands that follow it."""
    num_steps = options.planned_steps
    rising = found.rising(num_steps)
    print(
        f"Set point {found.target:g} nats: there beta, the slope of the rate-distortion curve, is "
        f"1, as at the ELBO's optimum. Measured slope {found.slope:.1f}, standard error "
        f"{found.error:.1f}."
    )
    table = Table("KL", "reconstruction", "a nat less costs", title="smaller set points")
    for point in found.choices:
        row = (f"{point.kl:.1f}", f"{point.reconstruction:.1f}", f"{point.beta:g} nats")
        table.add_row(*row)
    Console().print(table)
    print(
        f"Schedule: the pilot had learned enough for that many nats after {found.learned} steps; "
        f"the set point rises {SLOWER} times as slowly, in {found.rise:,} steps, but at most in "
        f"{LONGEST} of the run: {rising:.0%} of {num_steps:,} steps.\n"
        f"Bounds of beta: {found.beta_initial:g}, where the pilot's KL is the first set point, "
        f"{found.target_start:g} nats; {found.beta_hold:g}, where it is {HEADROOM} times the last "
        f"one, for the set point to wait at; floor {found.beta_min:g} below that. AnnealedVAE's "
        "gamma is twice the largest slope that it must hold against.\n"
    )
    for method, settings in found.settings(num_steps).items():
        flags = [f"--method.{name.replace('_', '-')} {v:g}" for name, v in settings.items()]
        if options.likelihood != "bernoulli":
            flags.append(f"--method.likelihood {options.likelihood}")
        given = f"--steps {num_steps} {_given(options)}"
        print(f"autobeta train {method} {given} {' '.join(flags)} --out RUN")


def _given(options: Any) -> str:  # noqa: ANN401 - options.Suggest
    """Flags of the pilot that its follower needs too: those that are not the defaults."""
    own = {"out", "steps", "log_every", "planned_steps", "likelihood", "num_points"}
    flags = [f"--data {options.data}"]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name not in own and value != field.default and field.name != "data":
            flag = f"--{field.name.replace('_', '-')}"
            flags.append(flag if value is True else f"{flag} {value}")
    return " ".join(flags)
