"""Compares the methods: `python reproductions/rateanneal/analyse.py STUDY`.

Writes `results.json`, `results.md` and figures beside this file.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from autobeta.reports import load_runs
from autobeta.reports.figures import beta_over_steps, kl_over_steps
from autobeta.run import folder as folders
from autobeta.study.folder import read_study

HERE = Path(__file__).parent
METHODS = ("rateanneal", "dynamicvae", "lvae")
END = 500  # steps
# name: (whether more is better, margin)
SCORES = {
    "reconstruction": (False, 5.0),
    "negative ELBO": (False, 5.0),
    "MIG": (True, 0.03),
    "DCI disentanglement": (True, 0.03),
}
SHOWN = (*SCORES, "KL", "FactorVAE", "beta")


def fourth_latent(log: list[dict[str, Any]]) -> int | None:
    """Step from which a fourth latent has a nat, in the mean over 25 lines."""
    fourth = np.array([sorted(row["kl_per_latent"])[-4] for row in log])
    alive = np.flatnonzero(np.convolve(fourth, np.full(25, 1 / 25), "valid") > 1)
    # a network at its start may use many at once
    settled = [int(i) for i in alive if log[i]["step"] > 1000]
    return log[settled[0] + 24]["step"] if settled else None


def entry(run: Any) -> dict[str, Any]:
    """Numbers of one run at its end."""
    losses, metrics = run.evaluation["train"], run.metrics["metrics"]
    last = [row for row in run.log if row["step"] > run.log[-1]["step"] - END]
    return {
        "seed": run.seed,
        "steps": run.log[-1]["step"],
        "commit": run.environment.get("commit"),
        "reconstruction": losses["reconstruction"],
        "negative ELBO": -losses["elbo"],
        "MIG": metrics["mig[bins=20]"],
        "DCI disentanglement": metrics["dci[lightgbm]"]["disentanglement"],
        "KL": losses["kl"],
        "FactorVAE": metrics["factorvae"],
        "beta": float(np.mean([row["beta"] for row in last])),
        "fourth latent": fourth_latent(run.log),
    }


def column(entries: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([e[name] for e in entries])


def mean_interval(values: np.ndarray) -> str:
    """Mean over seeds and half of its 95 % t interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.3g} ± {half:.2g}"


def compare(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Ours less theirs, turned so that more is better, with its interval and the verdict."""
    more_is_better, margin = SCORES[name]
    sign = 1 if more_is_better else -1
    a, b = (sign * column(entries, name) for entries in (ours, theirs))
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    low, high = float(interval.low), float(interval.high)
    verdict = "it can't be told"
    if low > -margin:
        verdict = "at least as good"
    elif high < -margin:
        verdict = "worse"
    return {
        "better_by": float(a.mean() - b.mean()),
        "interval": [low, high],
        "margin": margin,
        "verdict": verdict,
    }


def comparisons(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Score to other method to comparison, the better method first: that one was stated."""
    found: dict[str, dict[str, Any]] = {}
    for name, (more_is_better, _) in SCORES.items():
        others = [method for method in results if method != "rateanneal"]
        others.sort(key=lambda m: column(results[m], name).mean(), reverse=more_is_better)
        found[name] = {m: compare(results["rateanneal"], results[m], name) for m in others}
    return found


def tables(results: dict[str, list[dict[str, Any]]], verdicts: dict[str, Any]) -> str:
    """Means with intervals, every run, and the verdicts."""
    head = "| method | " + " | ".join(SHOWN) + " |\n" + "|---" * (len(SHOWN) + 1) + "|\n"
    means = head
    for method, entries in results.items():
        cells = [mean_interval(column(entries, name)) for name in SHOWN]
        means += f"| {method} | " + " | ".join(cells) + " |\n"
    each = head.replace("method", "run", 1)
    for method, entries in results.items():
        for e in entries:
            cells = [f"{e[name]:.3g}" for name in SHOWN]
            each += f"| {method}-s{e['seed']} | " + " | ".join(cells) + " |\n"
    judged = "| score | against | better by | 95 % interval | margin | verdict |\n"
    judged += "|---" * 6 + "|\n"
    for name, others in verdicts.items():
        for place, (other, v) in enumerate(others.items()):
            low, high = v["interval"]
            label = f"{other}, the other" if place else f"**{other}**, the better"
            judged += (
                f"| {name} | {label} | {v['better_by']:+.3g} | {low:+.3g} to {high:+.3g} | "
                f"{v['margin']:g} | {v['verdict']} |\n"
            )
    return (
        "# Rate annealing, DynamicVAE and L-VAE at 20,000 steps\n\nMade by `analyse.py`. Means "
        f"over seeds with 95 % t intervals.\n\n{means}\n## The comparison\n\n{judged}\n"
        f"## Every run\n\n{each}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="the study's folder")
    study = read_study(parser.parse_args().study)
    folders_of = {
        method: [study.run(name) for name, own in study.runs.items() if own["method"] == method]
        for method in METHODS
    }
    loaded = {method: load_runs(found) for method, found in folders_of.items()}
    results = {method: [entry(run) for run in found] for method, found in loaded.items()}
    verdicts = comparisons(results)
    folders.write_json(HERE / "results.json", {"verdicts": verdicts, "runs": results})
    (HERE / "results.md").write_text(tables(results, verdicts), "utf-8")
    every = [run for found in loaded.values() for run in found]
    kl_over_steps(every).savefig(HERE / "kl.png", dpi=150)
    beta_over_steps(every).savefig(HERE / "beta.png", dpi=150)


if __name__ == "__main__":
    main()
