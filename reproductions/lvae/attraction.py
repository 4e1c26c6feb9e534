"""When the balance attracts: branches with other betas from one run; see README.md.

python reproductions/lvae/attraction.py RUNS    # writes attraction.json and attraction.png
python reproductions/lvae/attraction.py --run RUN   # a finished run's: attraction-run.json

A run at beta 1 is left at several times; from each, copies are trained on at other betas for a
short while, with the network's optimiser as it is. R and K are means over a branch's last half.
With weights that are much slower than a branch, beta goes up where R / K is above beta and down
where it is below.
"""

import argparse
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from pilots import dsprites

from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig, registry
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit
from autobeta.training.checkpoint import load_checkpoint
from autobeta.training.seeding import seed_everything
from autobeta.weighting import ScheduledWeights

HERE = Path(__file__).parent
TIMES = (500, 2000, 6000)
BETAS = (0.5, 1.0, 2.0, 4.0, 8.0)
LENGTH = 250


def state_of(beta, likelihood, images):
    config = RunConfig(
        method="betavae",
        method_config=registry.load("methods", "betavae").Config(beta=beta),
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture="burgess", likelihood=likelihood),
        train=TrainConfig(batch_size=32, threads=1, log_every=10, precision="bfloat16"),
    )
    seed_everything(0)
    return config.train, build(config, Objects(data=images)).state


def branches(likelihood, folder, images):
    """R and K of each time and beta."""
    train, trunk = state_of(1.0, likelihood, images)
    for time in TIMES:
        fit(trunk, replace(train, steps=time), folder=folder / "trunk")
        for beta in BETAS:
            branch = folder / f"{time}-{beta:g}"
            shutil.copytree(folder / "trunk", branch, dirs_exist_ok=True)
            _, state = state_of(beta, likelihood, images)
            log = fit(state, replace(train, steps=time + LENGTH), folder=branch)
            yield measured(time, beta, log)


def branches_of(run):
    """R and K of each beta, from the end of a run."""
    config = RunConfig.from_json(files.read_config(run))
    for beta in BETAS:
        seed_everything(0)
        state = build(config, Objects()).state
        load_checkpoint(run / files.CHECKPOINT, state, log_every=config.train.log_every)
        state.weighting = ScheduledWeights({"kl": beta})
        time = state.step
        yield measured(time, beta, fit(state, replace(config.train, steps=time + LENGTH)))


def measured(time, beta, log):
    last = [row["terms"] for row in log if row["step"] > time + LENGTH // 2]
    r, k = (float(np.mean([row[name] for row in last])) for name in ("reconstruction", "kl"))
    row = {"step": time, "beta": beta, "r": round(r, 2), "k": round(k, 2)}
    print(row, flush=True)
    return row


def crossing(betas, ratios):
    """Where R / K meets beta: beta and whether it attracts, by lines between logarithms."""
    gap = np.log(ratios) - np.log(betas)
    for i in range(len(gap) - 1):
        if gap[i] * gap[i + 1] < 0:
            share = gap[i] / (gap[i] - gap[i + 1])
            log = (1 - share) * math.log(betas[i]) + share * math.log(betas[i + 1])
            yield math.exp(log), gap[i] > 0


def draw(found):
    times = sorted({row["step"] for row in found})
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(times)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for time, colour in zip(times, colours, strict=True):
        note = ", 64 pixels" if time > TIMES[-1] else ""
        rows = sorted((r for r in found if r["step"] == time), key=lambda row: row["beta"])
        beta, r, k = (np.array([row[key] for row in rows]) for key in ("beta", "r", "k"))
        left.loglog(beta, r / np.maximum(k, 1), "o-", color=colour, label=f"step {time:,}{note}")
        for at, attracts in crossing(beta, r / np.maximum(k, 1)):
            left.loglog(at, at, "o", ms=11, mec=colour, mfc=colour if attracts else "none")
        right.loglog(k, r, "o-", color=colour)
    ends = np.array([BETAS[0] / 1.5, BETAS[-1] * 1.5])
    left.loglog(ends, ends, "k--", lw=1, label="R / K = beta")
    left.set(xlabel="beta of the branch", ylabel="R / K after it")
    left.legend(fontsize=8)
    k = np.array(right.get_xlim())
    for product in np.geomspace(100, 1000, 5):
        right.loglog(k, product / k, color="0.8", lw=0.8, zorder=0)
    right.set(xlabel="K, nats", ylabel="R, nats (grey: R K is constant)")
    figure.savefig(HERE / "attraction.png", dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="?", help="folder for checkpoints")
    parser.add_argument("--run", type=Path, help="a finished run")
    parser.add_argument("--likelihood", default="bernoulli")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.run:
        name, found = "attraction-run", list(branches_of(options.run))
    else:
        name = f"attraction-{options.likelihood}".removesuffix("-bernoulli")
        images, _ = dsprites()
        found = list(branches(options.likelihood, options.runs / options.likelihood, images))
    text = json.dumps(found, indent=1) + "\n"
    (HERE / f"{name}.json").write_text(text, "utf-8")
    stored = (HERE / f"attraction{end}.json" for end in ("", "-run"))
    draw([row for path in stored if path.exists() for row in json.loads(path.read_text())])


if __name__ == "__main__":
    main()
