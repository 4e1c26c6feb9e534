"""The criterion of README.md for every run that is finished: results.csv, results.md, a figure.

python reproductions/selftuning/analyse.py [STUDY ...]; without one, from results.csv as it stands
"""

import argparse
import csv
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from autobeta.control import Loop, damping, gain_margin, tracking
from autobeta.control.report import DEAD
from autobeta.run import folder as files
from autobeta.run.out import write_out

HERE = Path(__file__).parent
SETTINGS = ("method", "data", "architecture", "batch_size", "lr", "steps")
NUMBERS = ("near", "overshoot", "end", "margin", "beta_over_floor", "gain", "lag", "noise")
STABILITY = ("damping", "predicted_sd", "observed_sd")
LINE = 20  # steps of a line of the log


def found(folder):
    """Settings and numbers of a finished run; None if it is not."""
    config, log = files.read_config(folder), files.read_log(folder)
    if not log or log[-1]["step"] < config["train"]["steps"]:
        return None
    low = config["method_config"]["beta_min"]
    late = [row for row in log if row["step"] > 0.9 * log[-1]["step"]]
    state = {
        name: float(np.median([row["state"][f"weighting.controller.{name}"] for row in late]))
        for name in ("plant_gain", "plant_lag", "proportional", "integral", "noise")
    }
    track = tracking(log, beta_min=low)
    window = config["method_config"].get("window", 1)
    loop = Loop(
        gain=state["plant_gain"],
        lag=state["plant_lag"] - DEAD,
        kp=state["proportional"],
        ki=state["integral"],
        window=window,
        dead=DEAD,
    )
    own = config["train"] | config["model"] | {"method": config["method"]}
    name = config["data"]["name"] or config["data"]["path"]
    run = {"data": Path(name).name.lower()} | {key: own[key] for key in SETTINGS if key in own}
    run |= {"near": track.near, "overshoot": track.overshoot}
    run["end"] = float(np.mean([row["kl_average"] - row["target"] for row in late]))
    run["margin"] = min(gain_margin(loop), 99.0)
    run["beta_over_floor"] = log[-1]["beta"] / low
    run |= {"damping": damping(loop), "predicted_sd": predicted(loop, state["noise"])}
    rests = [r["kl_average"] for r in log if r["target"] >= log[-1]["target"] - 1e-4]
    run["observed_sd"] = float(np.std(rests[2:], ddof=1)) if len(rests) > 5 else math.nan
    run["rested"] = next(r["step"] for r in log if r["target"] >= log[-1]["target"] - 1e-4)
    run["set_point"] = log[-1]["target"]
    run |= {"gain": state["plant_gain"], "lag": state["plant_lag"], "noise": state["noise"]}
    passed = {
        "near": run["near"] >= 0.9,
        "overshoot": run["overshoot"] < 0.1,
        "end": abs(run["end"]) < 0.25,
        "margin": run["margin"] >= 3,
        "floor": run["beta_over_floor"] > 1.5,
    }
    failed = " ".join(name for name, holds in passed.items() if not holds)
    first = next((row["step"] for row in log if row["kl_average"] >= 1), math.inf)
    fourth = next(
        (r["step"] for r in log if sum(k >= 1 for k in r["kl_per_latent"]) > 3), math.inf
    )
    return run | {"first_nat": first, "fourth_latent": fourth, "fails": failed}


def predicted(loop, noise, num_steps=20_000):
    """Standard deviation of the log's means of KL in the linear loop, by batches' noise alone."""
    follow = 1 - math.exp(-1 / max(loop.lag, 1e-6))
    noises = noise * np.random.default_rng(0).standard_normal(num_steps)
    waiting, recent = [0.0] * (loop.dead + 1), [0.0] * loop.window
    level = u = mean = 0.0
    kls = []
    for disturbed in noises:
        waiting.append(u)
        level += follow * (-loop.gain * waiting.pop(0) - level)
        kls.append(level + disturbed)
        recent = [*recent[1:], kls[-1]]
        before, mean = mean, sum(recent) / loop.window
        u += loop.kp * (mean - before) + loop.ki * mean
    return float(np.reshape(kls, (-1, LINE)).mean(axis=1).std())


def draw(runs, path):
    """What the loop's analysis predicts for each run against what was observed."""
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    for size in sorted({run["batch_size"] for run in runs}, key=int):
        own = [run for run in runs if run["batch_size"] == size]
        pairs = [(float(run["predicted_sd"]), float(run["observed_sd"])) for run in own]
        axes.loglog(*np.transpose(pairs), ".", label=f"batch {size}")
    ends = (0.02, 1.0)
    axes.loglog(ends, ends, "k:", linewidth=1)
    axes.set(xlabel="predicted (nats)", ylabel="observed (nats)")
    axes.set_title(f"KL's spread about a set point at rest, {len(runs)} runs", fontsize=10)
    axes.legend()
    write_out(path, lambda file: figure.savefig(file, format="png", dpi=110))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    table = options.out / "results.csv"
    if options.studies:
        write(table, options.studies)
    with table.open(newline="") as file:
        runs = list(csv.DictReader(file))
    draw([run for run in runs if run["observed_sd"] != "nan"], options.out / "stability.png")
    lines = ["| " + " | ".join(runs[0]) + " |", "|" + "---|" * len(runs[0])]
    lines += ["| " + " | ".join(run.values()) + " |" for run in runs]
    good = sum(not run["fails"] for run in runs)
    lines = [f"{good} of {len(runs)} runs meet the criterion.", "", *lines]
    (options.out / "results.md").write_text("\n".join(lines) + "\n", "utf-8")
    print(lines[0])


def write(table, studies):
    """The table of the studies' runs, a row each."""
    folders = [path for study in studies for path in sorted(study.glob("runs/*"))]
    runs = [run for folder in folders if (folder / files.LOG).exists() and (run := found(folder))]
    runs.sort(key=lambda run: [str(run[key]).rjust(9) for key in SETTINGS])
    columns = [*SETTINGS, *NUMBERS, "set_point", "rested", "first_nat", "fourth_latent"]
    columns += [*STABILITY, "fails"]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({key: shown(run[key]) for key in columns} for run in runs)


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
