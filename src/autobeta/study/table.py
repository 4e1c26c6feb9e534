"""The runs of a study as one tidy table: a row a run, a column a setting, a loss or a score."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autobeta.control import tracking
from autobeta.metrics import printed_name
from autobeta.run import folder as files
from autobeta.run.out import spreadsheet_cell
from autobeta.settings import bounds_of, identity
from autobeta.study.folder import Study, other_settings
from autobeta.study.progress import RunProgress, progress

Row = dict[str, str | int | float | bool | None]

_ALWAYS = {"method": "method", "data.name": "data", "train.seed": "seed"}
_ALWAYS |= {"train.steps": "steps", "train.batch_size": "batch_size"}


def rows(study: Study, at: int | None = None) -> list[Row]:
    """A row for each run of a study, in the study's order; what a run lacks is None.

    With `at`, losses, scores and curves are those of the network as it was after so many steps; a
    run that was not evaluated then has none.

    Columns: run, state and reason; `at`, if it is given, of runs that have it; method, data, their
    source, seed, steps, batch size; group, which runs that differ only by seed share; every
    setting in which the runs differ, by its dotted name; losses by split (`reconstruction`, and
    `reconstruction test`), scores, how the KL followed its set point, the last beta; images per
    second, hours, with evaluations on the way; `stopped_at`, where patience ended a run early;
    versions, device and commit.
    """
    settings = {name: identity(config) for name, config in study.runs.items()}
    differing, data = _differing(list(settings.values())), _data_names(study)
    found = []
    for state in progress(study):
        own = settings[state.name]
        row: Row = {"run": state.name, "state": state.state, "reason": state.reason or None}
        row |= {column: _plain(own.get(key)) for key, column in _ALWAYS.items()}
        row["data"] = data[state.name]
        row["group"] = state.name.rpartition("-")[0]
        row |= {column: _plain(own.get(key)) for key, column in differing.items()}
        results = _results(study, state, at)
        found.append(row | {k: v for k, v in results.items() if k == "reason" or k not in row})
    columns = dict.fromkeys(key for row in found for key in row)
    return [{key: row.get(key) for key in columns} for row in found]


def groups(table: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that differ only by their seed, by the name of their group."""
    found: dict[str, list[Row]] = {}
    for row in table:
        found.setdefault(str(row["group"]), []).append(row)
    return found


def to_csv(table: Sequence[Row]) -> bytes:
    """The table as CSV; a missing value is empty."""
    text = io.StringIO()
    names = list(table[0]) if table else []
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(spreadsheet_cell, names))
    writer.writerows([spreadsheet_cell(row[name]) for name in names] for row in table)
    return text.getvalue().encode()


def to_parquet(table: Sequence[Row]) -> bytes:
    """The table as Parquet; a column of several kinds of values is text.

    Raises:
        ImportError: If pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "`out` .parquet needs the package pyarrow; it is not installed. Install it with pip "
            "install 'autobeta[parquet]', or write a .csv."
        ) from error
    columns = {key: _of_one_kind([row[key] for row in table]) for key in (table or [{}])[0]}
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


def _of_one_kind(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
        kinds.add(float)
    if len(kinds) <= 1:
        return values
    kind = float if kinds == {int, float} else str
    return [None if value is None else kind(value) for value in values]


def _differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Settings that are not the same in all runs, a method's own in all of its; their columns.

    Those with a column of their own are left out.
    """
    values: dict[tuple[str, str], set[str]] = {}
    for own in settings:
        for key, value in own.items():
            of = own["method"] if key.startswith("method_config.") else ""
            values.setdefault((key, of), set()).add(repr(value))
    names = dict.fromkeys(key for (key, _), found in values.items() if len(found) > 1)
    return {n: n.replace("method_config.", "method.") for n in names if n not in _ALWAYS}


def _data_names(study: Study) -> dict[str, str]:
    """Name of the data of each run, with what tells them from others of that name in the study.

    Folders of one name are numbered: where they lie may be nobody's business.
    """
    left_out = ("path", "source")  # where they lie is no difference
    facts = {
        run: {key: value for key, value in config["data"].items() if key not in left_out}
        for run, config in study.runs.items()
    }
    peers: dict[str, dict[str, dict[str, Any]]] = {}
    for own in facts.values():
        peers.setdefault(Path(own["name"]).name, {})[repr(own)] = own
    names = {}
    for run, own in facts.items():
        name = Path(own["name"]).name
        others = peers[name].values()
        places = list(dict.fromkeys(other["name"] for other in others))
        number = f" ({places.index(own['name']) + 1})" if len(places) > 1 else ""
        differ = [key for key, value in own.items() if any(o.get(key) != value for o in others)]
        told = "".join(f", {key}={own[key]}" for key in differ if key != "name")
        names[run] = f"{name}{number}{told}"
    return names


def _plain(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - JSON
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def _results(study: Study, state: RunProgress, at: int | None) -> Row:
    """What a run's folder tells of it; a damaged file is a missing one, and is named."""
    row: Row = {}
    reasons = [state.reason]
    run = study.run(state.name)
    if differing := other_settings(run, study.runs[state.name]):
        named = ", ".join(f"{key} is {there!r}" for key, (there, _) in differing.items())
        return {"reason": f"its folder holds another run, whose {named}"}

    def take(read: Callable[..., Row], *arguments: object) -> None:
        try:
            row.update(read(run, *arguments))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if not isinstance(error, FileNotFoundError):
                reasons.append(f"{type(error).__name__}: {error}")

    take(_evaluation, study.evaluation.get("metrics"), at)
    if at is None or row.get("at") is not None:
        take(_curves, at)
    elif len(reasons) == 1:
        reasons.append(f"it was not evaluated after {at:,} steps")
    take(_environment)
    return row | {"reason": "; ".join(filter(None, reasons)) or None}


def _evaluation(run: Path, asked: Sequence[str] | None, at: int | None) -> Row:
    """Losses, and the scores that the study asks for; one that shares the run may have others."""
    wanted = None if asked is None else {*map(printed_name, asked)}
    try:
        found = files.read_metrics(run / files.METRICS)
    except ValueError:
        if at is None or not (found := _on_the_way(run, at)):
            raise
    if at not in (None, found.get("step")):
        found = _on_the_way(run, at)
    row: Row = {} if at is None else {"at": found.get("step")}
    row |= {"evaluated_images": found.get("num_points"), "evaluated_step": found.get("step")}
    for split, losses in (found.get("evaluation") or {}).items():
        end = "" if split == "train" else f" {split}"
        row |= {f"{name}{end}": value for name, value in (losses or {}).items()}
    for name, value in (found.get("metrics") or {}).items():
        if wanted is not None and name not in wanted:
            continue
        parts = value if isinstance(value, dict) else {"": value}
        row |= {f"{name} {part}".strip(): number for part, number in parts.items()}
    return row


def _on_the_way(run: Path, at: int | None) -> dict[str, Any]:
    """The evaluation of a run after so many steps; empty if there was none."""
    lines, damaged = files.log_lines(run / files.EVALUATIONS)
    found = next((line for line in lines if line["step"] == at), {})
    if damaged and not found:
        raise ValueError(f"`{files.EVALUATIONS}` is damaged in line {damaged[0]}")
    return found


def evaluated_steps(run: Path) -> set[int]:
    """Steps at which a run was evaluated, on its way and at its end."""
    lines = files.log_lines(run / files.EVALUATIONS)[0]
    end = files.read_metrics(run / files.METRICS).get("step")
    return {line["step"] for line in lines} | ({end} if type(end) is int else set())


def _curves(run: Path, at: int | None) -> Row:
    whole = at is not None or files.has_set_point(run)
    log = files.read_log(run) if whole else files.end_of_log(run)
    log = [line for line in log if at is None or line["step"] <= at]
    if not log:
        if at is None and (run / files.LOG).exists() and (run / files.METRICS).exists():
            raise ValueError(f"`{files.LOG}` has no line that can be read")
        return {}
    row: Row = {"beta": log[-1].get("beta"), "equivalent_beta": log[-1].get("equivalent_beta")}
    controlled = [line for line in log if line.get("beta") is not None]
    bounds = bounds_of(files.read_config(run))
    if controlled and (found := tracking(controlled, **bounds)) is not None:
        row |= {f"tracking_{name}": value for name, value in found._asdict().items()}
    needed = {"seconds", "images_per_second"}
    timing = [line for line in files.log_lines(run / files.TIMING)[0] if needed <= {*line}]
    timing = [line for line in timing if at is None or line["step"] <= at]
    if not timing:
        return row
    speeds = sorted(line["images_per_second"] for line in timing)
    return row | {"images_per_second": speeds[len(speeds) // 2], "hours": _hours(timing)}


def _hours(timing: Sequence[Mapping[str, Any]]) -> float:
    """Hours of training, over all attempts: each counts its own seconds from 0.

    A version that did not write when an attempt began leaves only that its seconds fall.
    """
    seconds = [(line.get("begun"), float(line["seconds"])) for line in timing]
    following = [*seconds[1:], (None, 0.0)]
    pairs = zip(seconds, following, strict=True)
    ends = [own for (begun, own), (other, after) in pairs if begun != other or after < own]
    return round(sum(ends) / 3600, 4)


def _environment(run: Path) -> Row:
    found = files.read_json(run / files.ENVIRONMENT)
    config = files.read_config(run)
    data = config["data"]
    packages = found["packages"]
    stopped = {"stopped_at": config["stopped_at"]} if "stopped_at" in config else {}
    mark = data.get("fingerprint")
    return stopped | {
        "data_fingerprint": str(mark) if mark else None,
        "data_source": str(data.get("source") or "") or None,
        "autobeta": packages.get("autobeta"),
        "torch": packages.get("torch"),
        "python": found.get("python"),
        "device": found.get("device"),
        "device_name": found.get("device_name"),
        "commit": found.get("commit"),
    }
