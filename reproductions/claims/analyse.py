"""The claims of README.md judged from the tables here: results.md, results.json and figures.

python reproductions/claims/analyse.py [TABLE.csv ...]    # all that are here if none is given
"""

import argparse
import csv
import itertools
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import kendalltau

from autobeta.run.out import write_out
from autobeta.study.statistics import holm, paired, summary

HERE = Path(__file__).parent
SCORES = {
    "mig[bins=20]": "MIG",
    "rmig[bins=100]": "RMIG",
    "dci[lightgbm] disentanglement": "DCI",
    "factorvae": "FactorVAE",
}
SHOWN = {"bce": "cross-entropy", "mse": "squared error", "kl": "KL", "beta": "β", **SCORES}
ERRORS = {"dsprites": "bce"}
"""What reconstruction is judged by; elsewhere the squared error, which has no floor."""
OURS, LEARNED = "dynamicvae", "lvae"
RIVALS = ("betavae 4", "factorvae", "controlvae")
TABLE = ("vae", "betavae 4", "controlvae", "dynamicvae", "sigmavae", "lvae")
FAR = 0.2  # of the other's cross-entropy
COMPARABLE = 0.05  # of a score
FEWEST = 3  # seeds


def read(tables):
    """(data, steps) to method to seed to row, of the runs that are done."""
    found = defaultdict(lambda: defaultdict(dict))
    for table in tables:
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["state"] == "done":
                    name = row["method"]
                    name += f" {float(row['beta']):g}" if name == "betavae" else ""
                    found[row["data"], int(row["evaluated_step"])][name][int(row["seed"])] = row
    return found


def values(runs, column):
    """Seed to number."""
    return {seed: float(row[column]) for seed, row in runs.items() if row.get(column)}


def difference(methods, one, other, column):
    """One less the other, paired by seed; None below three shared seeds."""
    if one not in methods or other not in methods:
        return None
    pair = paired(values(methods[one], column), values(methods[other], column))
    return pair if pair.n >= FEWEST else None


def reconstructs_better(methods, data):
    """Claim a: a line for each rival, and the verdict."""
    lines, verdicts = [], []
    column = ERRORS.get(data, "mse")
    for rival in RIVALS:
        error = difference(methods, OURS, rival, column)
        if error is None:
            lines.append(f"- {rival}: fewer than {FEWEST} shared seeds")
            verdicts.append("can't be told")
            continue
        base = np.mean(list(values(methods[rival], column).values()))
        scores = {name: difference(methods, OURS, rival, key) for key, name in SCORES.items()}
        known = [pair for pair in scores.values() if pair is not None]
        if error.high <= -FAR * base and all(pair.low >= -COMPARABLE for pair in known):
            verdicts.append("holds")
        elif error.low > -FAR * base or any(pair.high < -COMPARABLE for pair in known):
            verdicts.append("fails")
        else:
            verdicts.append("can't be told")
        told = ", ".join(f"{n} {interval(p)}" for n, p in scores.items() if p is not None)
        share = f"{SHOWN[column]} {interval(error)} ({error.difference / base:+.0%})"
        lines.append(f"- {rival}: {share}; {told}: {verdicts[-1]}")
    return lines, joined(verdicts)


def controls_tightly(methods, data):
    """Claim b: a line a seed, and the verdict."""
    del data
    lines, kept = [], []
    for seed, row in sorted(methods.get(OURS, {}).items()):
        beta, near = float(row["beta"]), float(row["tracking_near"])
        kept.append(beta < 1 and near >= 0.9)
        lines.append(f"- seed {seed}: β {beta:.2f} at the end, {near:.0%} within 0.5 nats")
    if kept and not all(kept):
        return lines, "fails"
    return lines, "holds" if len(kept) >= FEWEST else "can't be told"


def is_best_or_second(methods, data):
    """Claim c: a line a score, and the verdict."""
    del data
    lines, verdicts = [], []
    for column, name in SCORES.items():
        others = [m for m in TABLE if m != LEARNED]
        pairs = {m: difference(methods, m, LEARNED, column) for m in others}
        if None in pairs.values():
            return ["- a method of the table has fewer than three seeds"], "can't be told"
        above = [m for m, pair in pairs.items() if pair.difference > 0]
        adjusted = dict(zip(pairs, holm([pair.p for pair in pairs.values()]), strict=True))
        surely = [m for m in above if adjusted[m] < 0.05]
        verdicts.append(
            "holds" if len(above) <= 1 else "fails" if len(surely) >= 2 else "can't be told"
        )
        rank = f"{name}: place {len(above) + 1} of {len(TABLE)}"
        beyond = f", surely below {', '.join(surely)}" if surely else ""
        lines.append(f"- {rank}{beyond}: {verdicts[-1]}")
    return lines, joined(verdicts)


def joined(verdicts):
    """That of a claim which every part must keep."""
    if "fails" in verdicts:
        return "fails"
    return "holds" if set(verdicts) == {"holds"} else "can't be told"


def orders(found):
    """Kendall's tau of the methods' means between two lengths, by data and score."""
    lines = []
    for (a, b), (column, name) in itertools.product(
        itertools.combinations(sorted(found), 2), SCORES.items()
    ):
        shared = [m for m in found[a] if m in found[b]]
        if a[0] == b[0] and len(shared) >= 4:
            means = [
                [np.mean(list(values(found[k][m], column).values())) for m in shared]
                for k in (a, b)
            ]
            tau = kendalltau(*means).statistic
            lines.append(f"- {a[0]}, {name}, {a[1]:,} and {b[1]:,} steps: τ = {tau:.2f}")
    return lines


def interval(pair):
    return f"{pair.difference:+.3g} ({pair.low:+.3g} to {pair.high:+.3g})"


def cell(numbers):
    found = summary(numbers.values())
    if found.mean is None:
        return ""
    half = "" if found.low is None else f" ± {(found.high - found.low) / 2:.2g}"
    return f"{found.mean:.{4 if found.mean >= 1000 else 3}g}{half}"


def means(methods):
    """A row a method: means over seeds, with half of the 95 % interval."""
    lines = [f"| method | seeds | {' | '.join(SHOWN.values())} |"]
    lines.append("|---" * (len(SHOWN) + 2) + "|")
    for name, runs in sorted(methods.items()):
        cells = [cell(values(runs, column)) for column in SHOWN]
        lines.append(f"| {name} | {len(runs)} | {' | '.join(cells)} |")
    return lines


def draw(methods, data, title, path):
    """Error against DCI: a point a run, a cross with its name a method's mean."""
    column = ERRORS.get(data, "mse")
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for i, (name, runs) in enumerate(sorted(methods.items())):
        colour = plt.get_cmap("tab20")(i)
        x, y = (values(runs, c) for c in (column, "dci[lightgbm] disentanglement"))
        axes.plot(list(x.values()), [y[s] for s in x], ".", alpha=0.6, color=colour)
        at = np.mean(list(x.values())), np.mean(list(y.values()))
        axes.plot(*at, "x", color=colour)
        axes.annotate(name, at, (4, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=f"{SHOWN[column]} of the mean image", ylabel="DCI", title=title)
    write_out(path, lambda file: figure.savefig(file, format="png", dpi=110))
    plt.close(figure)


CLAIMS = {
    "a. DynamicVAE reconstructs far better at comparable disentanglement": reconstructs_better,
    "b. β below 1, KL tightly controlled": controls_tightly,
    "c. L-VAE best or second best": is_best_or_second,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="*", type=Path, default=sorted(HERE.glob("*-*.csv")))
    tables = parser.parse_args().tables
    if not tables:
        parser.error("no table of runs is here yet; README.md says how one is made")
    found = read(tables)
    page, verdicts = (
        ["# Results", "", "Made by `analyse.py`: means over seeds ± half of the 95 % interval."],
        {},
    )
    for (data, steps), methods in sorted(found.items()):
        title = f"{data}, {steps:,} steps"
        page += ["", f"## {title}", "", *means(methods)]
        for claim, judge in CLAIMS.items():
            lines, verdict = judge(methods, data)
            verdicts[f"{title}: {claim}"] = verdict
            page += ["", f"**{claim}: {verdict}.**", "", *lines]
        draw(methods, data, title, HERE / f"{data}-{steps}.png")
    page += ["", "## Orders at different lengths", "", *(orders(found) or ["One length only."])]
    (HERE / "results.md").write_text("\n".join(page) + "\n", "utf-8")
    (HERE / "results.json").write_text(
        json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
