"""Figures and numbers from the runs: `python analyse.py STUDY ...`; writes beside this file.

`results.json` holds one entry per run, `tables.md` the main ones side by side; entries of runs
that are not in the studies are kept. Averages at the end are over the last 500 steps. KL is
compared with its target as the mean over 20 steps, after the first tenth of the run.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from autobeta import control
from autobeta.reports import RunRecord, load_runs
from autobeta.reports.figures import beta_over_steps, kl_over_steps, rate_distortion
from autobeta.run import folder as folders
from autobeta.run.out import write_out
from autobeta.study.folder import read_study

HERE = Path(__file__).parent
END = 500  # steps
COLLAPSED = 1.0  # nats
PIXELS = 64 * 64


def label(config: dict[str, Any]) -> str:
    """What a run is called in results.json, from its settings."""
    method, own, train = config["method"], config["method_config"], config["train"]
    length = f"{method}-{train['steps'] // 1000}k"
    if method == "lvae" and train["steps"] != 10_000:
        form = f"{'A' if own['regulariser'] == 'log' else 'B'}-{own['unit']}"
        starts = {0.01: "plain", 0.001: "measured", 0.0005: "slow"}
        end = f"s{train['seed']}" if train["steps"] == 6000 else "20k"
        return f"lvae-{form}-{starts[own['weight_lr']]}-{end}"
    if train["precision"] == "float32":
        return f"{length}-float32"
    if own.get("controller") == "incremental":
        return f"{length}-published"
    if own.get("beta_hold") == 0:
        return f"{length}-nohold{'' if own['rising'] == 0.9 else '-rising0.7'}"
    return length


def series(run: RunRecord, name: str) -> np.ndarray:
    """One number of every log line."""
    terms = ("reconstruction", "kl")
    return np.array([row["terms"][name] if name in terms else row[name] for row in run.log])


def fixed_point(cost: float, regulariser: str) -> float:
    """Variance at which L-VAE's weight rests, for a constant cost (`weighting/learned.py`)."""
    return cost if regulariser == "log" else (cost + math.sqrt(cost**2 + 8 * cost)) / 4


def beta_fixed_point(run: RunRecord, reconstruction: float, kl: float) -> float:
    """Where L-VAE's beta would go if the terms stayed as they are."""
    settings = run.config["method_config"]
    unit = PIXELS if settings["unit"] == "pixel" else 1.0
    form = settings["regulariser"]
    variance_kl = max(fixed_point(kl, form), settings["kl_floor"])
    return unit * fixed_point(reconstruction / unit, form) / variance_kl


def tracking(run: RunRecord) -> dict[str, float]:
    """How well KL followed its set point after the first tenth of the run."""
    found = control.tracking(run.log)
    assert found is not None
    steps, target, beta = (series(run, name) for name in ("step", "target", "beta"))
    floor = run.config["method_config"]["beta_min"]
    key = "weighting.controller.last_error"  # of the controller's own average, 5 steps
    own = np.array([row["state"].get(key, math.nan) for row in run.log])[steps > steps[-1] / 10]
    return {
        "within_half_a_nat": found.near,
        "within_half_a_nat_own_average": float(np.mean(np.abs(own) < 0.5)),
        "largest_excess_nats": found.excess,
        "largest_lack_nats": -found.lack,
        "overshoot_of_last_target": found.overshoot,
        "last_target": float(target[-1]),
        "final_beta_over_floor": float(beta[steps > steps[-1] - END].mean() / floor),
        "smallest_beta_over_floor": float(beta.min() / floor),
    }


def summary(run: RunRecord) -> dict[str, Any]:
    """One entry of results.json."""
    steps = series(run, "step")
    last = steps > steps[-1] - END
    means = {
        name: float(series(run, name)[last].mean())
        for name in ("reconstruction", "kl", "beta", "equivalent_beta")
    }
    found: dict[str, Any] = {"steps": int(steps[-1]), "seed": run.seed, "end": means}
    found["collapsed"] = means["kl"] < COLLAPSED
    if run.method == "lvae":
        goal = beta_fixed_point(run, means["reconstruction"], means["kl"])
        found["beta_fixed_point"] = goal
        found["log_beta_over_fixed_point"] = math.log(means["beta"] / goal)
    if "target" in run.log[0]:
        found["tracking"] = tracking(run)
        if not any("weighting.controller.last_error" in row["state"] for row in run.log):
            found["tracking"].pop("within_half_a_nat_own_average")  # ControlVAE averages nothing
    return {**found, "evaluation": run.evaluation, "metrics": run.metrics.get("metrics", {})}


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def header(*names: str) -> str:
    return row(*names) + row(*["---"] * len(names))


def arms_table(results: dict[str, Any]) -> str:
    """L-VAE's arms at 6,000 steps: seeds, collapses and means over the seeds that lived."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for name, entry in results.items():
        if name.startswith("lvae-") and name[:-1].endswith("-s"):
            arms.setdefault(name[5:-3], []).append(entry)
    table = header("arm", "seeds", "collapsed", "beta", "ln(beta / fixed point)", "R", "KL", "MIG")
    for arm, entries in arms.items():
        alive = [e for e in entries if not e["collapsed"]] or entries

        def mean(*keys: str, of: list[dict[str, Any]] = alive) -> str:
            values = list(of)
            for key in keys:
                values = [v[key] for v in values]
            return f"{np.mean(values):.3g}"

        table += row(
            *(arm, len(entries), sum(e["collapsed"] for e in entries), mean("end", "beta")),
            *(mean("log_beta_over_fixed_point"), mean("end", "reconstruction")),
            *(mean("end", "kl"), mean("metrics", "mig[bins=20]")),
        )
    return table


def runs_table(results: dict[str, Any], suffix: str) -> str:
    """Runs of one length side by side, losses of the mean image in common units."""
    names = ("mse", "bce", "kl", "active_latents")
    table = header(
        "run", "MSE", "BCE, mean image", "KL", "active", "beta", "MIG", "DCI", "FactorVAE"
    )
    for name, entry in results.items():
        if suffix not in name or "dci[rf]" not in entry["metrics"]:
            continue
        losses, metrics = entry["evaluation"]["train"], entry["metrics"]
        table += row(
            *(name, *(f"{losses[key]:.4g}" for key in names)),
            f"{entry['end']['equivalent_beta']:.3g}",
            f"{metrics['mig[bins=20]']:.3f}",
            f"{metrics['dci[rf]']['disentanglement']:.3f}",
            f"{metrics['factorvae']:.3f}",
        )
    return table


def tracking_table(results: dict[str, Any]) -> str:
    """How KL followed its set point."""
    table = header(
        *(
            "run",
            "within 0.5 nats (20 steps)",
            "(5 steps)",
            "overshoot",
            "largest lack",
            "last target",
        ),
        *("final beta / floor", "smallest beta / floor"),
    )
    for name, entry in results.items():
        if found := entry.get("tracking"):
            own = found.get("within_half_a_nat_own_average")
            table += row(
                name,
                f"{found['within_half_a_nat']:.1%}",
                "" if own is None else f"{own:.1%}",
                f"{found['overshoot_of_last_target']:.1%}",
                f"{-found['largest_lack_nats']:.2f} nats",
                f"{found['last_target']:.1f}",
                f"{found['final_beta_over_floor']:.2f}",
                f"{found['smallest_beta_over_floor']:.2f}",
            )
    return table


def save(figure: Any, name: str) -> None:
    write_out(HERE / name, lambda file: figure.savefig(file, format="png", dpi=110))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+", help="folders of the studies")
    studies = [read_study(folder) for folder in parser.parse_args().studies]
    named = {
        label(own): study.run(name)
        for study in studies
        for name, own in study.runs.items()
        if (study.run(name) / folders.METRICS).exists()
    }
    done = [named[name] for name in sorted(named)]
    kept = folders.read_json(HERE / "results.json")["runs"]  # of runs that are not in the studies
    found = {name: summary(load_runs([folder])[0]) for name, folder in named.items()}
    results = dict(sorted({**kept, **found}.items()))
    environment = folders.read_json(done[0] / folders.ENVIRONMENT)
    environment.pop("commit")
    folders.write_json(HERE / "results.json", {"environment": environment, "runs": results})
    tables = (
        "# Tables\n\nMade by `analyse.py` from the runs.\n\n"
        f"## L-VAE's arms, 6,000 steps\n\n{arms_table(results)}\n"
        f"## 10,000 steps\n\n{runs_table(results, '-10k')}\n"
        f"## 20,000 steps\n\n{runs_table(results, '-20k')}\n"
        f"## Tracking\n\n{tracking_table(results)}"
    )
    write_out(HERE / "tables.md", lambda file: file.write(tables.encode()))
    figures = {
        "lvae": [p for n, p in named.items() if n.startswith("lvae") and n.endswith("s0")],
        "methods": [p for n, p in named.items() if n.endswith("-10k")],
        "dynamicvae": [p for n, p in named.items() if n.startswith("dynamicvae-20k")],
    }
    for name, chosen in figures.items():
        if chosen:
            loaded = load_runs(chosen)
            save(beta_over_steps(loaded), f"{name}-beta.png")
            save(rate_distortion(loaded, distortion="bce"), f"{name}-rate-distortion.png")
            save(kl_over_steps(loaded), f"{name}-kl.png")
    print(tables)


if __name__ == "__main__":
    main()
