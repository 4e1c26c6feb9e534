"""A study as its report needs it: groups of runs that differ only by seed, with their numbers."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autobeta import registry
from autobeta.errors import printable
from autobeta.reports._read import as_text, grouped
from autobeta.settings import identity
from autobeta.study.folder import Study, read_study
from autobeta.study.table import Row, rows

LOSSES = ("reconstruction", "kl", "negative_elbo", "mse", "psnr", "ssim", "bce", "active_latents")
HELD_OUT = " test"  # at the end of a column of the held-out split
TRACKING = "tracking_"

_ABOUT = {"run", "state", "reason", "at", "method", "data", "seed", "steps", "batch_size", "group"}
_ABOUT |= {"evaluated_images", "evaluated_step", "beta", "equivalent_beta", "images_per_second"}
_ABOUT |= {
    "hours",
    "stopped_at",
    "data_fingerprint",
    "data_source",
    "autobeta",
    "torch",
    "python",
    "device",
    "device_name",
}
_ABOUT |= {"commit", "elbo", "elbo test", *LOSSES, *(key + HELD_OUT for key in LOSSES)}
_SHOWN = ["train.steps", "train.batch_size", "train.lr", "train.precision", "data.image_size"]
_SHOWN += ["model.architecture", "model.num_latents", "model.likelihood"]
_FEW = 3  # settings of a method that are told although they have their defaults
_PARTS = ("method.", "data.", "model.", "train.", "objects.", TRACKING)


class StudyGroup(NamedTuple):
    """Runs that differ only by their seed.

    Args:
        method: Name of the method.
        label: The method, with the settings that differ within it on these data.
        data: The data set, with what tells it from others of its name.
        likelihood: What its nats are of; those of different likelihoods don't compare.
        rows: Rows of its runs, see `study.table.rows`.
    """

    method: str
    label: str
    data: str
    likelihood: str
    rows: list[Row]

    @property
    def finished(self) -> list[Row]:
        """Rows of the runs that were trained and evaluated as the study asks."""
        return [row for row in self.rows if is_finished(row)]

    def values(self, key: str) -> dict[int, float]:
        """Finite values of a column of numbers, by seed, of the finished runs."""
        found = {seed_of(row): value_of(row, key) for row in self.finished}
        return {seed: value for seed, value in found.items() if value is not None}


class StudyRecord(NamedTuple):
    """A study and all that its runs' folders tell.

    Args:
        study: Its folder.
        table: A row a run.
        groups: Groups of seeds, in the study's order.
        at: The step that the numbers are of, if they are not of the end.
    """

    study: Study
    table: list[Row]
    groups: list[StudyGroup]
    at: int | None = None

    @property
    def by_data(self) -> dict[str, list[StudyGroup]]:
        """Groups by data set."""
        return grouped((group.data, group) for group in self.groups)

    @property
    def title(self) -> str:
        """Title of the study; the folder's name without one."""
        return printable(str(self.study.about.get("title") or self.study.folder.resolve().name))

    @property
    def notice(self) -> str:
        """Whether it is a preset or scaled, and what step it is of; empty where it is nothing."""
        scale, preset = self.study.about.get("scale"), self.study.about.get("preset")
        changed = printable(str(self.study.about.get("changed") or ""))
        but = f", but with other {changed} than it has" if changed else ""
        said = [f"Preset {printable(str(preset))}{but}."] if preset else []
        if self.at is not None:
            said.append(f"As the runs were after {self.at:,} steps.")
        if scale not in (None, 1):
            said.append(
                f"Scaled: every run has {scale:g} times the steps that the study defines, so its "
                "numbers are not those of the whole study."
            )
        return " ".join(said)

    def folder(self, row: Row) -> Path:
        """A run's folder."""
        return self.study.run(str(row["run"]))


def load_study(folder: Path, at: int | None = None) -> StudyRecord:
    """Read a study with its runs, after `at` steps or at their end.

    What a run lacks or has damaged stands in its row.
    """
    study = read_study(folder)
    table = [{printable(key): value for key, value in row.items()} for row in rows(study, at)]
    members = _members(table)
    first = {key: study.runs[str(found[0]["run"])] for key, found in members.items()}
    data = {key: printable(str(found[0]["data"])) for key, found in members.items()}
    labels = _labels(first, data)
    for key, sample in _samples(members).items():
        labels[key] += sample
    found = [
        StudyGroup(
            printable(str(first[key]["method"])),
            labels[key],
            data[key],
            likelihood_of(identity(first[key])),
            own,
        )
        for key, own in members.items()
    ]
    return StudyRecord(study, table, found, at)


def _members(table: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by group; what was evaluated on other images is a group of its own."""
    found: dict[str, list[Row]] = {}
    for own in grouped((str(row["group"]), row) for row in table).values():
        samples = list(dict.fromkeys(_sample(row) for row in own if is_finished(row)))
        for row in own:  # one that is not finished goes with the first
            place = samples.index(_sample(row)) if is_finished(row) else 0
            number = f"#{place + 1}" if place else ""
            found.setdefault(f"{row['group']}{number}", []).append(row)
    return found


def _sample(row: Row) -> tuple[object, ...]:
    return row["evaluated_images"], row.get("data_fingerprint")


def _samples(members: Mapping[str, list[Row]]) -> dict[str, str]:
    """What tells groups from each other on some data that were evaluated on other images."""
    first = {key: next(filter(is_finished, own), None) for key, own in members.items()}
    whole = {key: row for key, row in first.items() if row is not None}
    told = {}
    for keys in grouped((str(row["data"]), key) for key, row in whole.items()).values():
        if len({_sample(whole[key]) for key in keys}) == 1:
            continue
        for key in keys:
            mark = str(whole[key].get("data_fingerprint") or "")[:6]
            told[key] = f", evaluated on {int(whole[key]['evaluated_images'] or 0):,} images"
            told[key] += f" of the data {mark}" if mark else ""
    return told


def is_finished(row: Row) -> bool:
    """Whether a run was trained and evaluated as the study asks, or up to the step of a table."""
    done = row["state"] == "done" or row.get("at") is not None
    return done and row.get("evaluated_step") is not None


def seed_of(row: Row) -> int:
    """Seed of a run."""
    return int(row["seed"] or 0)


def value_of(row: Row, key: str) -> float | None:
    """A finite number of a row; `negative_elbo` is the ELBO's, None what is no number."""
    sign = 1
    if key.startswith("negative_elbo"):
        sign, key = -1, key.removeprefix("negative_")
    value = row.get(key)
    if isinstance(value, bool | str) or value is None or not math.isfinite(value):
        return None
    return sign * float(value)


def score_names(table: Sequence[Row]) -> list[str]:
    """Columns of scores: numbers that are no setting, loss or fact about the run."""
    return [
        key
        for key in (table[0] if table else {})
        if key not in _ABOUT
        and not key.startswith(_PARTS)
        and any(value_of(row, key) is not None for row in table)
    ]


def loss_names(table: Sequence[Row]) -> list[str]:
    """Columns of losses that some run has, each split's after the other."""
    keys = [key + end for key in LOSSES for end in ("", HELD_OUT)]
    return [key for key in keys if any(value_of(row, key) is not None for row in table)]


def settings_note(record: StudyRecord, data: str) -> str:
    """What the runs on some data have in common, and what each group has of its own."""
    groups = record.by_data[data]
    facts = [
        identity(record.study.runs[str(group.rows[0]["run"])])
        | {"model.likelihood": group.likelihood}
        for group in groups
    ]
    shown = [key for key in _SHOWN if any(key in own for own in facts)]
    common = [key for key in shown if len({as_text(own.get(key)) for own in facts}) == 1]
    said = ", ".join(_setting(key, facts[0]) for key in common)
    parts = [f"All: {said}"] if said else []
    for group, own in zip(groups, facts, strict=True):
        names = [key for key in shown if key not in common]
        mine = [key for key in own if key.startswith("method_config.")]
        usual = registry.defaults("methods", group.method) if _is_known(group.method) else {}
        few = len(mine) <= _FEW
        names += [key for key in mine if few or own[key] != usual.get(key.partition(".")[2])]
        if names:
            parts.append(f"{group.label}: {', '.join(_setting(key, own) for key in names)}")
    return printable("; ".join(parts)) + ("." if parts else "")


def _setting(key: str, facts: Mapping[str, Any]) -> str:
    return f"{key.rpartition('.')[2]} {_rounded(facts.get(key))}"


def _is_known(method: str) -> bool:
    return method in registry.available("methods")


def likelihood_of(facts: Mapping[str, Any]) -> str:
    """Name of a run's likelihood, from its identity; the method's own where that has one."""
    method, own = str(facts["method"]), None
    if _is_known(method):
        own = registry.describe("methods", method).get("LIKELIHOOD")
    return str(own or facts["model.likelihood"])


def _labels(configs: Mapping[str, Mapping[str, Any]], data: Mapping[str, str]) -> dict[str, str]:
    """Label of each group: its method, and the settings that differ within it on its data."""
    facts = {key: identity(config) for key, config in configs.items()}
    peers = grouped(((data[key], own["method"]), own) for key, own in facts.items())
    labels = {
        key: printable(str(found["method"]) + _told(found, peers[data[key], found["method"]]))
        for key, found in facts.items()
    }
    alike = grouped(((data[key], label), key) for key, label in labels.items())
    for keys in alike.values():
        for key in [key for key in keys[1:] if "#" not in key]:  # none is merged with another
            labels[key] += f" ({key.rpartition('-')[2]})"
    return labels


def _told(
    facts: Mapping[str, Any],
    peers: Sequence[Mapping[str, Any]],
    left_out: Sequence[str] = ("train.seed",),
) -> str:
    differ = [
        key
        for key in facts
        if key not in left_out and len({as_text(peer.get(key)) for peer in peers}) > 1
    ]
    found = ""
    for key in differ:
        values = {as_text(peer.get(key)): _rounded(peer.get(key)) for peer in peers}
        alike = len(set(values.values())) < len(values)
        text = as_text(facts[key]) if alike else _rounded(facts[key])
        found += f", {key.rpartition('.')[2]}={text}"
    return found


def _rounded(value: object) -> str:
    """A setting as text; 1.7 for 1.7000000000000002."""
    return f"{value:.6g}" if isinstance(value, float) else as_text(value)
