"""Judges the proposals against the sweep.

`python reproductions/suggest/analyse.py [STUDY --pilots DIR]`

Writes `results.json`, `results.md` and a figure beside this file, and copies the pilots' figures.
What `results.json` has of runs that the study lacks is kept; without a study all is made from it.
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
END = HERE / "results.json"
DATA = ("dsprites", "scenes3d", "mnist")
# whose proposals follow from the same pilot; of AnnealedVAE's, the former ones had a gamma
OTHERS = {"controlvae": "ControlVAE", "annealedvae": "AnnealedVAE"}
OTHERS |= {"with_gamma": "AnnealedVAE with gamma"}
TARGETS = (10.0, 15.0, 20.0, 25.0)  # nats
MARGIN = 5.0  # nats of R + KL
NEAR = 1.0  # nats of KL
LAST = 500  # steps
USUAL = {"beta_initial": 50.0}  # of the sweep


def entries(study: Study, data: str, method: str = "dynamicvae", **settings: float) -> list[Any]:
    """Numbers of the runs on a data set whose method has these settings, seed by seed."""
    return [
        entry(study.run(name))
        for name, own in study.runs.items()
        if (own["data"]["name"], own["method"]) == (data, method)
        and own["method_config"] | settings == own["method_config"]
    ]


def entry(folder: Path) -> dict[str, Any]:
    """Numbers of one run at its end."""
    (run,) = load_runs([folder])
    losses, own = run.evaluation["train"], run.config["method_config"]
    last = [row for row in run.log if row["step"] > run.log[-1]["step"] - LAST]
    return {
        "seed": run.seed,
        "steps": run.log[-1]["step"],
        "target": own.get("target", own.get("capacity")),
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
    sums = {target: np.array([e["sum"] for e in own]) for target, own in sweep.items()}
    means = [values.mean() for values in sums.values()]
    lost = np.mean([e["sum"] for e in proposed]) - min(means)
    missed = abs(np.mean([e["kl"] - e["target"] for e in proposed]))
    figures = f"{lost:+.1f} nats against the sweep's best, KL {missed:.1f} nats off"
    if (apart := max(np.ptp(values) for values in sums.values())) > MARGIN:
        return f"inconclusive, as two seeds of one set point differ by {apart:.1f} nats: {figures}"
    if (apart := np.ptp(means)) <= MARGIN:
        return f"inconclusive, as all set points lie within {apart:.1f} nats: {figures}"
    return f"{'good' if lost <= MARGIN and missed <= NEAR else 'bad'}: {figures}"


def figure(results: dict[str, Any]) -> Figure:
    """R + KL over the set point that was asked for, a panel per data set."""
    drawn = Figure(figsize=(3.2 * len(results), 2.8), layout="constrained")
    axes = drawn.subplots(1, len(results))
    for axis, (data, found) in zip(axes, results.items(), strict=True):
        sweep = [e for own in found["sweep"].values() for e in own]
        drawings = {"sweep": sweep, "proposed": found["proposed"]}
        drawings |= {name: found[name] for name in OTHERS if name in found}
        for (label, own), style in zip(drawings.items(), ("o", "*", "^", "s", "x"), strict=False):
            xs, ys = [e["target"] for e in own], [e["sum"] for e in own]
            axis.plot(xs, ys, style, label=label, markersize=10 if style == "*" else 5)
        axis.set_title(data, loc="left")
        axis.set_xlabel("set point (nats)")
        axis.set_ylabel("R + KL at the end (nats)")
        axis.legend(fontsize=7)
    return drawn


def table(found: dict[str, Any]) -> str:
    """Runs of a data set side by side."""
    lines = ["| set point | seed | target at the end | KL | R | R + KL | beta | MIG |"]
    lines.append("|---" * 8 + "|")
    proposals = {name: found[name] for name in ("proposed", "first", *OTHERS) if name in found}
    for name, own in {**found["sweep"], **proposals}.items():
        for e in own:
            label = f"{e['target']:g} ({name})" if name in proposals else name
            lines.append(
                f"| {label} | {e['seed']} | {e['last_target']:.1f} | {e['kl']:.2f} | "
                f"{e['reconstruction']:.1f} | {e['sum']:.1f} | {e['beta']:.2f} | {e['mig']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def gather(study: Study, data: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What a study has of a data set: the sweep, and the runs at what the pilot proposed."""
    sweep = {f"{t:g}": entries(study, data, target=t, **USUAL) for t in TARGETS}
    found = {"sweep": {name: own for name, own in sweep.items() if own}}
    found["proposed"] = entries(study, data, **settings["dynamicvae"])
    found["first"] = entries(study, data, beta_hold=0.52)
    found["controlvae"] = entries(study, data, "controlvae", **settings["controlvae"])
    own = settings["annealedvae"]
    found["annealedvae"] = entries(study, data, "annealedvae", **own | {"gamma": None})
    found["with_gamma"] = entries(study, data, "annealedvae", **own) if "gamma" in own else []
    return {name: own for name, own in found.items() if own}


def suggestion(pilot: Path, data: str) -> dict[str, Any]:
    """What a pilot proposed, without its curve; its figure is copied."""
    shutil.copy(pilot / folders.SUGGESTION_FIGURE, HERE / f"pilot-{data}.png")
    found = folders.read_json(pilot / folders.SUGGESTION)
    del found["curve"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", help="the study's folder")
    parser.add_argument("--pilots", type=Path, help="folder of the pilots")
    options = parser.parse_args()
    results = folders.read_json(END) if END.exists() else {}
    for data in DATA:
        found = results.get(data, {})
        if options.pilots and (pilot := options.pilots / f"pilot-{data}").exists():
            found["suggestion"] = suggestion(pilot, data)
        if "suggestion" not in found:
            continue
        if options.study:
            found |= gather(read_study(options.study), data, found["suggestion"]["settings"])
        shown = [name for name in ("proposed", *OTHERS) if name in found]
        found["verdict"] = {name: judge(found["sweep"], found[name]) for name in shown}
        results[data] = found
    folders.write_json(END, results)
    text = "".join(f"## {d}\n\n{verdicts(r)}\n\n{table(r)}\n" for d, r in results.items())
    (HERE / "results.md").write_text(f"# The sweep\n\nMade by `analyse.py`.\n\n{text}", "utf-8")
    figure(results).savefig(HERE / "sweep.png", dpi=150)


def verdicts(found: dict[str, Any]) -> str:
    names = {"proposed": "DynamicVAE", **OTHERS}
    return "\n\n".join(f"{names[name]}: {told}" for name, told in found["verdict"].items())


if __name__ == "__main__":
    main()
