"""Tables of a study, a row a group of seeds, with marks of the best."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from autobeta.reports._formats import MarkedCell, MarkedTable, to_latex, to_markdown
from autobeta.reports._marks import UNLIKE, marks
from autobeta.reports._study import (
    HELD_OUT,
    StudyGroup,
    StudyRecord,
    load_study,
    loss_names,
    score_names,
    settings_note,
)
from autobeta.reports.tables import Column, column, number
from autobeta.run.out import write_out
from autobeta.study.statistics import Summary, summary
from autobeta.study.table import evaluated_steps, to_csv, to_parquet

MEANING = (
    "Mean ± standard deviation over n runs that differ only by seed, in brackets the 95 % "
    "interval of the mean (Student's t below 8 seeds, else the BCa bootstrap). ↑: higher is "
    "better, ↓: lower. Bold: the best mean of a column; underlined: the second best; ≈: not told "
    "apart from the best, paired by seed, at 5 % after Holm's adjustment for the groups of the "
    "column, which proves no equality; ?: not tested, fewer than two seeds in common with the "
    "best. In a column with an arrow, no mark is worse than the best; others are not compared. A "
    "single seed (n=1) has no interval and takes no part."
)

NO_NATS = (
    "Nats of different likelihoods do not compare, so reconstruction and ELBO have no marks; MSE, "
    "PSNR and BCE of the mean image do."
)

FORMATS = (".csv", ".parquet", ".md", ".tex")


def write_table(
    study: Path | str, out: Path | str, *, metrics: Sequence[str] = (), at: int | None = None
) -> Path:
    """Write a study as a table.

    Args:
        study: The study's folder.
        out: A .csv or .parquet has a row a run; a .md or .tex a table for each data set, with a
            row a group of seeds.
        metrics: Scores and losses to show, such as mig, dci or mse; all if none is given.
        at: The step whose evaluations are shown, of runs with `evaluate_every`; the end's if not
            given.

    Raises:
        ValueError: If the ending is another one, a metric is not in the study, or no run was
            evaluated at that step.
    """
    out = Path(out)
    if out.suffix not in FORMATS:
        raise ValueError(f"`out` must end in {', '.join(FORMATS)}; got {out.name}. Rename it.")
    record = load_study(Path(study), at)
    if at is not None and all(row.get("at") is None for row in record.table):
        runs = map(record.study.run, record.study.runs)
        steps = sorted(set().union(*map(evaluated_steps, runs)))
        known = ", ".join(f"{step:,}" for step in steps) or "none"
        raise ValueError(
            f"`at` must be a step at which a run of the study was evaluated, {known}; got {at:,}. "
            "For others train in a new folder, with `evaluate_every` of [train]."
        )
    scores, losses = score_names(record.table), loss_names(record.table)
    keys = chosen([*losses, *scores], metrics)
    if out.suffix in (".csv", ".parquet"):
        shown = {key.removeprefix("negative_") for key in keys}
        left_out = {key.removeprefix("negative_") for key in (*losses, *scores)} - shown
        kept = [{k: v for k, v in row.items() if k not in left_out} for row in record.table]
        written = to_csv(kept) if out.suffix == ".csv" else to_parquet(kept)
    else:
        form = to_markdown if out.suffix == ".md" else to_latex
        parts = [form(marked(record, data, keys)) for data in record.by_data]
        written = "\n".join(parts).encode()
    write_out(out, lambda file: file.write(written))
    return out


def chosen(known: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Columns that some names ask for: whole ones, such as mig[bins=20], or their beginnings.

    Raises:
        ValueError: If a name asks for none.
    """
    bases = {key: re.split(r"[\[ ]", key)[0] for key in known}
    found: list[str] = []
    for name in asked:
        columns = [
            key
            for key in known
            for plain in [key.removeprefix("negative_")]  # as .csv and metrics.json have it
            if name in (key, key.split(" ")[0], bases[key], plain, plain.split(" ")[0])
        ]
        if not columns:
            short = list(dict.fromkeys(bases.values()))
            near = difflib.get_close_matches(name.lower(), short, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " Choose of these."
            raise ValueError(
                f"`metrics` must be ones that the study has, {', '.join(short) or 'none'}; got "
                f"{name!r}.{hint}"
            )
        found += columns
    return list(dict.fromkeys(found)) if asked else list(known)


def column_of(key: str) -> Column:
    """Heading, format and arrow of a loss or score."""
    base = key.removesuffix(HELD_OUT)
    return column(base + ", held-out" if base != key else key)


def better(key: str) -> bool | None:
    """Whether higher is better; None where neither is."""
    return {"↑": True, "↓": False}.get(column_of(key).better)


def marked(record: StudyRecord, data: str, keys: Sequence[str]) -> MarkedTable:
    """Groups on some data by columns of losses and scores, with the marks that `MEANING` tells."""
    groups = record.by_data[data]
    shown = [key for key in keys if any(group.values(key) for group in groups)]
    unlike = UNLIKE if len({group.likelihood for group in groups}) > 1 else ()
    found = {
        key: marks({g.label: g.values(key) for g in groups}, better(key))
        for key in shown
        if key.removesuffix(HELD_OUT) not in unlike
    }
    cells = []
    for group in groups:
        done, whole = len(group.finished), len(group.rows)
        count = MarkedCell(f"{done}" if done == whole else f"{done} of {whole}", done)
        row = [MarkedCell(group.label), count]
        for key in shown:
            row.append(_cell(group, key, found.get(key, {}).get(group.label, ())))
        cells.append(row)
    headings = ["method", "n (seeds)", *(column_of(key).heading for key in shown)]
    caption = f"{data}. {settings_note(record, data)} {MEANING}"
    if any(key.removesuffix(HELD_OUT) in unlike for key in shown):
        caption += f" {NO_NATS}"
    return MarkedTable(headings, cells, caption, record.notice)


def _cell(group: StudyGroup, key: str, said: tuple[str, ...]) -> MarkedCell:
    values = group.values(key)
    found, form = summary(values.values()), column_of(key).format
    if found.mean is None:
        return MarkedCell("")
    fewer = None if found.n == len(group.finished) > 1 else found.n
    return mean_cell(found, form, fewer)._replace(marks=said)


def mean_cell(found: Summary, form: str, n: int | None = None) -> MarkedCell:
    """A mean with its spread, interval and, where it is given, number."""
    text = spread(found.mean, found.std, (found.low, found.high), form, n)
    more = (("std", found.std), ("n", found.n), ("low", found.low), ("high", found.high))
    return MarkedCell(text, found.mean, (), more)


def spread(
    mean: float | None,
    std: float | None,
    ends: tuple[float | None, float | None],
    form: str = ".3f",
    n: int | None = None,
) -> str:
    """A mean with its spread, interval and number, as far as they are known, in like digits."""
    if mean is None:
        return ""
    text = number(mean, form)
    digits = ".1e" if "e" in text else f".{len(text.partition('.')[2].rstrip('%'))}f"
    if form.endswith("%"):
        digits = digits[:-1] + "%"
    text += "" if std is None else f"\u00a0±\u00a0{std:{digits}}"
    low, high = ends
    if low is not None and high is not None:
        text += f" [{low:{digits}},\u00a0{high:{digits}}]"
    return text + ("" if n is None else f" (n={n})")
