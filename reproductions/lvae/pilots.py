"""Trains arms of L-VAE on small images, one line of pilots.jsonl each; see README.md.

python reproductions/lvae/pilots.py --out reproductions/lvae/pilots.jsonl --mnist FOLDER_OF_IDX
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from autobeta import ModelConfig, RunConfig, TrainConfig, registry
from autobeta.data import load_data
from autobeta.errors import DivergedError
from autobeta.metrics import mig
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.settings import DataOptions
from autobeta.training import fit
from autobeta.training.seeding import seed_everything

ADAM = {"weight_optimizer": "adam", "weight_lr": 5e-4, "beta_initial": 0.0, "warmup": 0}
ARMS = {
    "explained": {},  # natural gradient from beta 1, rises where there is a balance, or earned
    "records": {"wait": "records"},  # earned alone
    "never": {"wait": "never"},  # natural gradient alone
    "records-warmup": {"wait": "records", "warmup": 500},
    "adam": ADAM,  # the former default
    "records-from-4": {"wait": "records", "beta_initial": 4.0},
    "records-fast": {"wait": "records", "weight_lr": 3e-3},
    "mdlvae": {},
    "adam_short": {**ADAM, "weight_optimizer": "adam_short"},
    "rmsprop": {**ADAM, "weight_optimizer": "rmsprop"},
    "adam-measured": {**ADAM, "warmup": 500, "start": "fixed_point"},
}
IMAGES = 50_000


def dsprites():
    """Images of 32 pixels, black and white, and their factors."""
    dataset = load_data("dsprites")
    index = np.random.default_rng(0).choice(len(dataset), IMAGES, replace=False)
    parts = []
    for rows in np.array_split(index, 50):
        pixels = dataset.images(rows)[..., 0].astype(np.float32)
        means = pixels.reshape(len(rows), 32, 2, 32, 2).mean((2, 4))
        parts.append((255 * (means >= 127.5)).astype(np.uint8))
    return np.concatenate(parts)[..., None], dataset.factor_space.factors(index)


def mnist(path):
    dataset = load_data("mnist", options=DataOptions(path=path, image_size=32))
    return dataset.images(np.arange(IMAGES)), None


def average(values, over):
    return np.convolve(values, np.ones(over) / over, "valid")


def summary(log, every):
    """What README.md's criterion reads, from a line every `every` steps."""
    r, k = (np.array([row["terms"][name] for row in log]) for name in ("reconstruction", "kl"))
    beta = np.array([row["beta"] for row in log])
    over = 100 // every
    r, k, beta = average(r, over), average(k, over), average(beta, over)
    last = slice(-(len(r) // 4), None)
    gap = np.log(beta / (r / np.maximum(k, 1.0)))
    picked = range(249 // every, len(r), 250 // every)
    return {
        **{"reconstruction": round(r[-1], 2), "kl": round(k[-1], 2), "beta": round(beta[-1], 3)},
        "ratio": round(r[-1] / max(k[-1], 1.0), 3),
        "gap": round(float(np.abs(gap[last]).mean()), 3),
        "above_lowest": round(float(r[last].mean() / r.min() - 1), 3),
        "collapsed": bool(k[-1] < 1),
        "curve": [[round(float(v[i]), 3) for v in (r, k, beta)] for i in picked],
    }


def work(arm, data, likelihood, seed, steps, images, factors):
    method = "mdlvae" if arm == "mdlvae" else "lvae"
    config = RunConfig(
        method=method,
        method_config=registry.load("methods", method).Config(**ARMS[arm]),
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture="burgess", likelihood=likelihood),
        train=TrainConfig(steps=steps, batch_size=32, seed=seed, threads=1, log_every=10),
    )
    config = replace(config, train=replace(config.train, precision="bfloat16"))
    seed_everything(seed)
    state = build(config, Objects(data=images)).state
    found = {"data": data, "likelihood": likelihood, "arm": arm, "seed": seed, "steps": steps}
    try:
        log = fit(state, config.train)
    except DivergedError as error:
        return found | {"error": f"{type(error).__name__}: {error}"}
    found |= summary(log, config.train.log_every)
    if factors is not None:
        x = torch.from_numpy(images[:5000]).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            codes = torch.cat([state.model.encode(part).mean for part in x.split(500)])
        found["mig"] = round(float(mig(codes.numpy(), factors[:5000])), 4)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--data", nargs="+", default=["dsprites", "mnist"])
    parser.add_argument("--likelihoods", nargs="+", default=["bernoulli", "gaussian"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = [json.loads(line) for line in read(options.out)]
    keys = ("data", "likelihood", "arm", "seed", "steps")
    done = {tuple(run[key] for key in keys) for run in known}
    sets = {}
    for seed in options.seeds:
        for data in options.data:
            for arm in options.arms:
                for likelihood in options.likelihoods:
                    if (data, likelihood, arm, seed, options.steps) in done:
                        continue
                    if data not in sets:
                        sets[data] = dsprites() if data == "dsprites" else mnist(options.mnist)
                    found = work(arm, data, likelihood, seed, options.steps, *sets[data])
                    with options.out.open("a") as file:
                        file.write(json.dumps(found) + "\n")
                    print({k: v for k, v in found.items() if k != "curve"}, flush=True)


def read(path):
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
