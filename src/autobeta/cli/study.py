"""Carry out many runs, and make a table of them."""

import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from autobeta import registry
from autobeta.cli._print import plain
from autobeta.cli._run import stoppable
from autobeta.errors import pasted

MANY = 1000
"""A study of more runs asks for --yes."""
_COMMANDS = {
    "run": "carry out a study, or go on with it",
    "status": "how far each of its runs is",
    "table": "its runs as a table: .csv, .parquet, .md or .tex",
}


@dataclass(frozen=True, kw_only=True)
class StudyFlags:
    """Options of `autobeta study run`."""

    study: tyro.conf.Positional[Path | None] = None
    """Study file, TOML; see `autobeta docs studies`."""
    out: Path
    """The study's folder; one that holds this study is gone on with."""
    preset: str | None = None
    """A study that comes with autobeta; `autobeta list studies` names them."""
    methods: tuple[str, ...] = ()
    """Methods; those of the file if not given."""
    data: tuple[str, ...] = ()
    """Data sets, folders of images, or files of arrays."""
    seeds: tuple[str, ...] = ()
    """Seeds, or ranges such as 0-4."""
    steps: int | None = None
    """Number of optimiser updates of each run."""
    metrics: tuple[str, ...] = ()
    """Metrics of the evaluations; those that the data allow if not given."""
    scale: Annotated[float, tyro.conf.arg(metavar="FACTOR")] = 1.0
    """Factor of the numbers of steps; every page that shows the study says so."""
    runs: Path | None = None
    """Folder of the run folders, which studies may share; OUT/runs if not given."""
    launcher: str = "local"
    """local, ray or slurm."""
    workers: int | None = None
    """Runs at a time; as many as there are cores, or as a cluster has room for, if not given."""
    logger: tuple[str, ...] = ()
    """Who else follows each run, such as csv or tensorboard."""
    dry_run: bool = False
    """Only print the runs, and the time and disk that they will take; a few steps are measured."""
    yes: bool = False
    """Begin also a study of more than a thousand runs."""


def main(args: Sequence[str]) -> None:
    """The command `autobeta study`, given what follows it on the command line."""
    commands: dict[str, Callable[[Sequence[str]], None]] = {"run": _run}
    commands |= {command.__name__: partial(_parse, command) for command in (status, table)}
    if not args or args[0] not in commands:
        print("usage: autobeta study COMMAND ...\n")
        print("\n".join(f"  {name:8}{text}" for name, text in _COMMANDS.items()))
        if not args or args[0] not in ("-h", "--help"):
            raise SystemExit(2)
        return
    commands[args[0]](args[1:])


def _run(args: Sequence[str]) -> None:
    launchers = registry.available("study/launchers")
    options = [(name, registry.load("study/launchers", name).OPTIONS) for name in launchers]
    fields: list[tuple[str, Any, Any]] = [
        ("flags", Annotated[StudyFlags, tyro.conf.arg(name="")], dataclasses.field()),
        *((name, kind, kind()) for name, kind in options),
    ]
    namespace = {"__doc__": "Carry out a study, or go on where it stopped."}
    command = dataclasses.make_dataclass("StudyRun", fields, namespace=namespace)
    parsed: Any = tyro.cli(command, prog="autobeta study run", args=args)
    flags: StudyFlags = parsed.flags
    registry.check_name("study/launchers", flags.launcher)
    again = f"Go on with\n  {pasted('autobeta', 'study', 'run', *args)}"
    with stoppable(lambda: again):
        _carry_out(flags, getattr(parsed, flags.launcher))


def _carry_out(flags: StudyFlags, options: object) -> None:
    from autobeta.study.definition import located
    from autobeta.study.folder import claim_study
    from autobeta.study.grid import plan

    if flags.workers is not None and flags.workers < 1:
        raise ValueError(
            f"`workers` must be at least 1; got {flags.workers}. Leave it out for all."
        )
    definition, about, path = _definition(flags)
    with located(path, _given(flags)):
        planned = plan(definition, scale=flags.scale)
    if flags.dry_run:
        _estimate(planned, definition.evaluation, flags)
        return
    if len(planned) > MANY and not flags.yes:
        raise ValueError(
            f"a study of {len(planned):,} runs must be meant; look at it with --dry-run, then "
            "begin it with --yes."
        )
    launcher = registry.load("study/launchers", flags.launcher)
    launcher.check(options)
    study = claim_study(flags.out, definition, planned, runs_folder=flags.runs, about=about)
    left = [name for name in study.runs if not study.is_done(name)]
    told = _Told(len(study.runs), len(study.runs) - len(left))
    launcher.launch(flags.out, left, options, workers=flags.workers, told=told)
    told.end(flags.out)


def _given(flags: StudyFlags) -> list[str]:
    """Keys of a study that the command line gives in place of its file."""
    given = [key for key in ("methods", "data", "seeds", "logger") if getattr(flags, key)]
    given += ["train.steps"] if flags.steps is not None else []
    return given + (["evaluation.metrics"] if flags.metrics else [])


def _definition(flags: StudyFlags) -> tuple[Any, dict[str, Any], Path | None]:
    """The study of the command line, what is kept of how it was asked for, and its file."""
    from autobeta.study.definition import define, located, narrowed, of_length, read_definition
    from autobeta.study.presets import preset_file

    if flags.study is not None and flags.preset is not None:
        raise ValueError("`study` must be a file or a preset; got both. Leave one out.")
    path = flags.study if flags.preset is None else preset_file(flags.preset)
    base = {} if path is None else read_definition(path).document
    folder = Path() if path is None else path.parent
    document = narrowed(base, methods=flags.methods, data=_placed(folder, base, flags.data))
    if flags.logger:
        document["logger"] = [*flags.logger]
    if flags.seeds:
        document["seeds"] = " ".join(flags.seeds)
    if flags.steps is not None:
        document = of_length(document, flags.steps)
    if flags.metrics:
        document["evaluation"] = {**document.get("evaluation", {}), "metrics": [*flags.metrics]}
    about: dict[str, Any] = {"preset": flags.preset} if flags.preset else {}
    changed = [key.rpartition(".")[2] for key in _given(flags) if key != "logger"]
    about |= {"changed": ", ".join(changed)} if flags.preset and changed else {}
    about |= {"scale": flags.scale} if flags.scale != 1 else {}
    with located(path, _given(flags)):
        return define(document, folder=folder), about, path


def _placed(folder: Path, base: dict[str, Any], data: Sequence[str]) -> list[str]:
    """Data of the command line, whose paths begin where it is given, as the file names them."""
    sets = registry.available("data")
    known = {(folder / name).resolve(): name for name in base.get("dataset", {}).keys() - {*sets}}

    def at(name: str) -> str:
        try:
            place = Path(name).expanduser().resolve()
            is_path = "/" in name or "." in name or place.exists()
        except (OSError, RuntimeError, ValueError):  # too long, ~nobody, a null byte
            return name
        return known.get(place, str(place)) if is_path and name not in sets else name

    return [at(name) for name in data]


class _Told:
    """Prints what becomes of the runs."""

    def __init__(self, number: int, done: int) -> None:
        self._number, self._done, self._failed = number, done, 0
        self._console = Console(highlight=False, soft_wrap=True)
        if done:
            self._console.print(f"{done} of {number} runs are done already", markup=False)

    def __call__(self, name: str, state: str, reason: str) -> None:
        self._done += state == "done"
        self._failed += state == "failed"
        so_far = f"[{self._done + self._failed}/{self._number}]"
        self._console.print(f"{so_far} {name} {state}{': ' * bool(reason)}{reason}", markup=False)

    def end(self, folder: Path) -> None:
        """Say how to look at the study; a failed run is an error."""
        self._console.print(
            f"See  {pasted('autobeta', 'study', 'table', folder, '--out', 'table.md')}\n"
            f"     {pasted('autobeta', 'report', folder, '--out', 'report.html')}",
            markup=False,
        )
        if self._failed:
            status = pasted("autobeta", "study", "status", folder)
            raise RuntimeError(
                f"{self._failed} of {self._number} runs failed; `{status}` says why. Give the "
                "same command again, once that is mended, to try them anew."
            )


def _estimate(planned: Sequence[Any], evaluation: Any, flags: StudyFlags) -> None:  # noqa: ANN401
    from autobeta.study.estimate import estimate

    with Console(stderr=True).status("") as line:
        found = estimate(
            planned,
            evaluation,
            workers=flags.workers,
            study=flags.out,
            told=lambda done, number, name: line.update(
                f"Measuring {done + 1} of {number} kinds of runs: {name}"
            ),
        )
    table = Table("run", "seeds", "steps", "h:min each", "MB each")
    seeds = Counter(run.name.rpartition("-")[0] for run in planned)
    shown = {run.name.rpartition("-")[0]: (run, h, mb) for run, h, mb in reversed(found.runs)}
    for group, (run, hours, megabytes) in reversed(shown.items()):
        numbers = (f"{seeds[group]}", f"{run.config.train.steps:,}")
        table.add_row(group, *numbers, _duration(3600 * hours), f"{megabytes:.1f}")
    _console().print(table, markup=False)
    number = f"{len(planned):,} run{'s' * (len(planned) > 1)}"
    print(
        f"{number}, {found.workers} at a time: about {_duration(3600 * found.hours)} hours and "
        f"{found.gigabytes:.2f} GB, from {found.measured} short runs on this machine."
    )


def _parse(command: Callable[..., None], args: Sequence[str]) -> None:
    tyro.cli(command, prog=f"autobeta study {command.__name__}", args=args)


def status(study: tyro.conf.Positional[Path], *, watch: bool = False) -> None:
    """How far each run of a study is.

    Args:
        study: The study's folder.
        watch: Look again every two seconds until it is interrupted.
    """
    from rich.live import Live

    from autobeta.study.folder import read_study

    found = read_study(study)
    if not watch:
        _console().print(_progress_table(found))
        return
    with Live(_progress_table(found), auto_refresh=False) as live:
        while True:
            time.sleep(2)
            live.update(_progress_table(found), refresh=True)


def _console() -> Console:
    """Standard output; where it is no terminal, wide enough for whole names."""
    return Console() if sys.stdout.isatty() else Console(width=240)


def _progress_table(study: Any) -> Table:  # noqa: ANN401 - a study
    from autobeta.study.progress import progress

    runs = progress(study)
    counts = Counter(run.state for run in runs)
    table = Table(title=", ".join(f"{count} {state}" for state, count in counts.items()))
    for name in ("run", "state", "step", "images/s", "left", "reason"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("run", "reason"))
    for run in runs:
        left = "" if run.seconds_left is None else _duration(run.seconds_left)
        speed = "" if run.speed is None else f"{run.speed:,.0f}"
        named = (run.name, run.state, f"{run.step:,} of {run.steps:,}")
        table.add_row(*plain(*named, speed, left, run.reason))
    return table


def _duration(seconds: float) -> str:
    return "{}:{:02}".format(*divmod(round(seconds / 60), 60))


def table(
    study: tyro.conf.Positional[Path],
    *,
    out: Path,
    metrics: tuple[str, ...] = (),
    at: int | None = None,
) -> None:
    """Write the runs of a study as a table, a row a run, or in .md and .tex a row a group.

    Args:
        study: The study's folder.
        out: File to write: .csv or .parquet of every run; .md or .tex of means over seeds.
        metrics: Scores and losses to show, such as mig, dci or mse; all if not given.
        at: Step whose evaluations are shown, of runs with --evaluate-every; else the end's.
    """
    from autobeta.reports import write_table

    print(write_table(study, out, metrics=metrics, at=at))
