"""Judges the proposals against the sweep.

`python reproductions/suggest/analyse.py STUDY --pilots DIR`

Writes `results.json`, `results.md` and a figure beside this file, and copies the pilots' figures.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from autobeta.reports import load_runs
from autobeta.run import folder as folders
from autobeta.study.folder import Study, read_study

HERE = Path(__file__).parent
DATA = ("dsprites", "scenes3d")
TARGETS = (10.0, 15.0, 20.0, 25.0)  # nats
MARGIN = 5.0  # nats of R + KL
NEAR = 1.0  # nats of KL
END = 500  # steps


def run_folders(study: Study, data: str, **settings: float) -> list[Path]:
    """The run folders on a data set whose method has these settings, seed by seed."""
    return [
        study.run(name)
        for name, own in study.runs.items()
        if own["data"]["name"] == data and own["method_config"] | settings == own["method_config"]
    ]


def entry(folder: Path) -> dict[str, Any]:
    """Numbers of one run at its end."""
    (run,) = load_runs([folder])
    losses = run.evaluation["train"]
    last = [row for row in run.log if row["step"] > run.log[-1]["step"] - END]
    return {
        "seed": run.seed,
        "steps": run.log[-1]["step"],
        "target": run.config["method_config"]["target"],
        "last_target": run.log[-1]["target"],
        "beta": float(np.mean([row["beta"] for row in last])),
        "reconstruction": losses["reconstruction"],
        "kl": losses["kl"],
        "sum": losses["reconstruction"] + losses["kl"],
        "mig": run.metrics["metrics"]["mig[bins=20]"],
        "commit": run.environment.get("commit"),
    }


def judge(sweep: dict[str, list[dict[str, Any]]], proposed: list[dict[str, Any]]) -> str:
    """The verdict by the rule that was stated before the runs."""
    sums = {target: np.array([e["sum"] for e in entries]) for target, entries in sweep.items()}
    means = {target: values.mean() for target, values in sums.items()}
    apart = max(np.ptp(values) for values in sums.values())
    if np.ptp(list(means.values())) <= MARGIN or apart > MARGIN:
        return f"inconclusive: seeds of one set point differ by up to {apart:.1f} nats"
    lost = np.mean([e["sum"] for e in proposed]) - min(means.values())
    missed = abs(np.mean([e["kl"] - e["target"] for e in proposed]))
    verdict = "good" if lost <= MARGIN and missed <= NEAR else "bad"
    return f"{verdict}: {lost:+.1f} nats against the sweep's best, KL {missed:.1f} nats off"


def figure(results: dict[str, Any]) -> Figure:
    """R + KL over the KL that was reached, a panel per data set."""
    drawn = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = drawn.subplots(1, len(results))
    for axis, (data, found) in zip(axes, results.items(), strict=True):
        swept = [e for entries in found["sweep"].values() for e in entries]
        for entries, style in ((swept, "o"), (found["proposed"], "*")):
            label = "sweep" if style == "o" else "proposed"
            xs, ys = [e["target"] for e in entries], [e["sum"] for e in entries]
            axis.plot(xs, ys, style, label=label, markersize=10 if style == "*" else 5)
        axis.set_title(data, loc="left")
        axis.set_xlabel("set point (nats)")
        axis.set_ylabel("R + KL at the end (nats)")
        axis.legend()
    return drawn


def table(found: dict[str, Any]) -> str:
    """Runs of a data set side by side."""
    lines = ["| set point | seed | target at the end | KL | R | R + KL | beta | MIG |"]
    lines.append("|---" * 8 + "|")
    proposals = {name: found[name] for name in ("proposed", "first") if name in found}
    for name, entries in {**found["sweep"], **proposals}.items():
        for e in entries:
            label = f"{e['target']:g} ({name})" if name in proposals else name
            lines.append(
                f"| {label} | {e['seed']} | {e['last_target']:.1f} | {e['kl']:.2f} | "
                f"{e['reconstruction']:.1f} | {e['sum']:.1f} | {e['beta']:.2f} | {e['mig']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="the study's folder")
    parser.add_argument("--pilots", type=Path, required=True, help="folder of the pilots")
    options = parser.parse_args()
    study, usual = read_study(options.study), {"beta_initial": 50.0}  # of the sweep
    results = {}
    for data in DATA:
        pilot = options.pilots / f"pilot-{data}"
        suggestion = folders.read_json(pilot / folders.SUGGESTION)
        asked = suggestion["settings"]["dynamicvae"]
        of_proposal = run_folders(study, data, **asked)
        if not of_proposal:
            raise SystemExit(f"{pilot} proposed {asked}, which the study does not have")
        shutil.copy(pilot / folders.SUGGESTION_FIGURE, HERE / f"pilot-{data}.png")
        sweep = {
            f"{target:g}": [entry(f) for f in run_folders(study, data, target=target, **usual)]
            for target in TARGETS
        }
        proposed = [entry(folder) for folder in of_proposal]
        del suggestion["curve"]
        results[data] = {
            "verdict": judge(sweep, proposed),
            "suggestion": suggestion,
            "sweep": sweep,
            "proposed": proposed,
        }
        if first := run_folders(study, data, beta_hold=0.52):
            results[data]["first"] = [entry(folder) for folder in first]
    folders.write_json(HERE / "results.json", results)
    text = "".join(f"## {d}\n\n{r['verdict']}\n\n{table(r)}\n" for d, r in results.items())
    (HERE / "results.md").write_text(f"# The sweep\n\nMade by `analyse.py`.\n\n{text}", "utf-8")
    figure(results).savefig(HERE / "sweep.png", dpi=150)


if __name__ == "__main__":
    main()
