"""List methods, data sets, metrics, networks, studies and more."""

from collections.abc import Mapping
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from autobeta import registry
from autobeta.study.presets import preset_file, presets, title

FOLDERS = {
    "methods": "methods",
    "data": "data",
    "metrics": "metrics",
    "networks": "models/networks",
    "likelihoods": "models/likelihoods",
    "callbacks": "training/callbacks",
    "launchers": "study/launchers",
}
_STUDIES = "studies"  # files, not modules


def command(
    what: tyro.conf.Positional[
        Literal[
            "all",
            "methods",
            "data",
            "metrics",
            "networks",
            "likelihoods",
            "callbacks",
            "launchers",
            "studies",
        ]
    ] = "all",
    name: tyro.conf.Positional[str] = "",
) -> None:
    """List what there is: all names, one kind with a line each, or one name with all its facts.

    Args:
        what: The kind.
        name: One of its names, for its settings, presets, source and the like.
    """
    console = Console()
    if what == "all":
        for kind, folder in FOLDERS.items():
            console.print(f"[b]{kind}[/b]: {', '.join(registry.listed(folder))}")
        console.print(f"[b]{_STUDIES}[/b]: {', '.join(presets())}")
        console.print("\n`autobeta list methods` says what each is, and so on; `autobeta list "
                      "methods dynamicvae` all about one.")  # fmt: skip
    elif what == _STUDIES:
        _studies(console, name)
    elif name:
        _one(console, FOLDERS[what], name)
    else:
        docs = {own: _doc(FOLDERS[what], own) for own in registry.listed(FOLDERS[what])}
        _lines(console, what, docs)


def _doc(folder: str, name: str) -> str:
    """The first line of a module."""
    return str(registry.describe(folder, name)["doc"]).split("\n")[0].rstrip(".")


def _lines(console: Console, what: str, lines: Mapping[str, str]) -> None:
    """A name and a line each."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(what, no_wrap=True)
    table.add_column("what it is")
    for name, line in lines.items():
        table.add_row(name, line)
    console.print(table, markup=False)


def _studies(console: Console, name: str) -> None:
    """The studies that come with autobeta, or the file of one."""
    if not name:
        _lines(console, _STUDIES, {own: title(own) for own in presets()})
        return
    console.print(
        preset_file(name).read_text("utf-8"), markup=False, highlight=False, soft_wrap=True
    )
    console.print(f"autobeta study run --preset {name} --out FOLDER", highlight=False)


def _one(console: Console, folder: str, name: str) -> None:
    """All facts of a module."""
    facts = registry.describe(folder, name)
    console.print(str(facts.pop("doc")), markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, fact in facts.items():
        if key != "CITATION" and fact not in ("", (), {}):
            table.add_row(key.lower(), _shown(fact))
    console.print(table, markup=False)


def _shown(fact: Any) -> str:  # noqa: ANN401 - any literal
    """A fact as a table's cell."""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, dict):
        return "\n".join(f"{key}: {_shown(value)}" for key, value in fact.items())
    return ", ".join(map(str, fact)) if isinstance(fact, tuple | list) else str(fact)
