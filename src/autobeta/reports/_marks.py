"""Which groups of runs are the best of a column, and which can't be told from them."""

from collections.abc import Mapping, Sequence

from autobeta.reports._load import RunRecord
from autobeta.reports._read import grouped
from autobeta.reports._study import likelihood_of
from autobeta.reports.tables import HELD_OUT, column, numbers
from autobeta.study.statistics import comparisons, summary

UNLIKE = ("reconstruction", "elbo", "negative_elbo")
"""Nats that do not compare between likelihoods."""

Marks = dict[str, tuple[str, ...]]


def row_marks(groups: Sequence[Sequence[RunRecord]]) -> list[Marks]:
    """Marks of groups of runs that differ only by seed, by column, as `marks` gives them.

    Groups are compared that are finished and evaluated on equally many images of the same data.
    Where every group is a single run, the best is marked and nothing else said.
    """
    found: list[Marks] = [{} for _ in groups]
    single = all(len(runs) == 1 for runs in groups)
    firsts = [(place, runs[0]) for place, runs in enumerate(groups)]
    evaluated = [(place, run) for place, run in firsts if run.finished and run.metrics]
    peers = grouped(((run.data, run.sample[0]), place) for place, run in evaluated)
    for places in peers.values():
        for key, values in _columns({str(place): groups[place] for place in places}).items():
            side = {"↑": True, "↓": False}.get(column(key).better)
            for place, said in (lone_best if single else marks)(values, side).items():
                found[int(place)][key] = said
    return found


def _columns(groups: Mapping[str, Sequence[RunRecord]]) -> dict[str, dict[str, dict[int, float]]]:
    """Values by column, group and seed; not those whose nats do not compare."""
    alike = len({likelihood_of(runs[0].identity) for runs in groups.values()}) == 1
    found: dict[str, dict[str, dict[int, float]]] = {}
    for name, runs in groups.items():
        for run in runs:
            for key, value in numbers(run).items():
                if value is not None and (alike or key.removesuffix(HELD_OUT) not in UNLIKE):
                    found.setdefault(key, {}).setdefault(name, {})[run.seed or 0] = float(value)
    return found


def lone_best(
    by_label: Mapping[str, Mapping[int, float]], higher_is_better: bool | None
) -> dict[str, tuple[str, ...]]:
    """The best of single values; nothing where they are fewer than two, or all equal."""
    values = {label: value for label, found in by_label.items() for value in found.values()}
    if higher_is_better is None or len(set(values.values())) < 2:
        return {}
    best = (max if higher_is_better else min)(values.values())
    return {label: ("best",) for label, value in values.items() if value == best}


def marks(
    by_label: Mapping[str, Mapping[int, float]], higher_is_better: bool | None
) -> dict[str, tuple[str, ...]]:
    """What is said of each group of at least two seeds; nothing where they are fewer than two.

    Groups of equal means share their mark; nothing is said where all are equal.
    """
    several = {label: values for label, values in by_label.items() if len(values) > 1}
    if higher_is_better is None or len(several) < 2:
        return {}
    found = comparisons(several, higher_is_better)
    sign = -1 if higher_is_better else 1
    means = {label: sign * (summary(v.values()).mean or 0) for label, v in several.items()}
    first, *others = sorted({*means.values()})
    if not others:
        return {}
    told: dict[str, tuple[str, ...]] = {}
    for label in several:
        said = ["best"] if means[label] == first else []
        said += ["second"] if means[label] == others[0] else []
        verdict = found.others[label].verdict if label in found.others else ""
        said += {"not told apart": ["like"], "too few seeds": ["untested"]}.get(verdict, [])
        told[label] = ("best",) if means[label] == first else tuple(said)
    return told
