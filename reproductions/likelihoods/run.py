"""Trains every method with every likelihood for 1,000 steps; see README.md.

python reproductions/likelihoods/run.py --out results.jsonl [--workers 2] [--scenes FILE.npz]
"""

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import warnings
from pathlib import Path

STEPS = 1000
LIKELIHOODS = ("gaussian", "laplace", "continuousbernoulli", "bernoulli", "gaussian_logistic")
SIGMAS = [{"sigma": s, "mean": m} for s in ("optimal", "learned") for m in ("linear", "logistic")]


def combinations():
    from autobeta import registry

    yield from (("sigmavae", "", own) for own in SIGMAS)
    others = [name for name in registry.listed("methods") if name != "sigmavae"]
    yield from ((method, name, {}) for name in LIKELIHOODS for method in others)


NAMES = {True: "dsprites", False: "scenes3d"}


def name_of(found):
    _, likelihood, own = found
    return likelihood or " ".join(own.values())


def scenes(path):
    """5,000 images of scenes3d: those of a file, or rendered."""
    import numpy as np

    from autobeta.data import load_data

    if path:
        return np.load(path)["images"]
    dataset = load_data("scenes3d")
    return dataset.images(np.random.default_rng(0).choice(len(dataset), 5000, replace=False))


def work(task):
    method, likelihood, own, data, steps, precision = task
    import torch

    from autobeta import ModelConfig, RunConfig, TrainConfig, registry
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training import fit
    from autobeta.training.seeding import seed_everything

    torch.set_num_threads(1)
    config = RunConfig(
        method=method,
        method_config=registry.load("methods", method).Config(**own),
        data="dsprites",
        model=ModelConfig(**({"likelihood": likelihood} if likelihood else {})),
        train=TrainConfig(steps=steps, threads=1, precision=precision),
    )
    name = name_of((method, likelihood, own))
    found = {"data": NAMES[data is None], "method": method, "likelihood": name}
    found["precision"] = precision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed_everything(0)
            state = build(config, Objects(data=data)).state
            log = fit(state, config.train)
    except Exception as error:
        return found | {"error": f"{type(error).__name__}: {error}"}
    kl = statistics.fmean(row["kl_average"] for row in log[-2:])
    last = log[-1]
    found |= {"kl": round(kl, 3), "reconstruction": round(last["terms"]["reconstruction"], 3)}
    found |= {"beta": last["beta"], "alive": kl >= 1}
    found["kl_by_step"] = [round(row["kl_average"], 3) for row in log[3::4]]
    print(found["data"], method, name, f"KL {kl:.2f}", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precision", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--methods", nargs="+", help="only these")
    parser.add_argument("--likelihoods", nargs="+", help="only these")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    colour = scenes(options.scenes)
    known = [json.loads(line) for line in read(options.out)]
    done = {(run["data"], run["method"], run["likelihood"]) for run in known}
    pairs = itertools.product((None, colour), combinations())
    tasks = [
        (*found, data, options.steps, options.precision)
        for data, found in pairs
        if (NAMES[data is None], found[0], name_of(found)) not in done
        and found[0] in (options.methods or [found[0]])
        and name_of(found) in (options.likelihoods or [name_of(found)])
    ]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for found in pool.imap(work, tasks):
            with options.out.open("a") as file:
                file.write(json.dumps(found) + "\n")
    options.out.with_suffix(".md").write_text(table(map(json.loads, read(options.out))), "utf-8")


def table(runs):
    """A row a method and data set, a column a likelihood: KL in nats, bold where it is lost."""
    cells, columns = {}, {}
    for run in runs:
        kl = run.get("kl")
        told = "error" if kl is None else f"{kl:.2f}" if run["alive"] else f"**{kl:.2f}**"
        cells.setdefault((run["data"], run["method"]), {})[run["likelihood"]] = told
        columns[run["likelihood"]] = None
    lines = ["| data | method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for (data, method), own in sorted(cells.items()):
        told = " | ".join(own.get(name, "") for name in columns)
        lines.append(f"| {data} | `{method}` | {told} |")
    return "\n".join(lines) + "\n"


def read(path):
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
