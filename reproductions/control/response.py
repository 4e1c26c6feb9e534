"""How KL answers log beta: open-loop runs with a pseudo-random beta; see README.md.

python reproductions/control/response.py --out response.json [--faces FOLDER] [NAME ...]

A run is controlled as DynamicVAE with LogPI; then log beta is held at its mean, plus or minus 0.2
for 8 to 128 steps each, and KL is regressed on the past of log beta, in bins of the lag, and on a
cubic of the step, for the learning of the network.
"""

import argparse
import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np

BINS = (0, 2, 4, 8, 16, 32, 64, 128, 256)  # steps since log beta moved
MOVE = 0.2  # e-folds
FAST = 32  # steps, after which an answer is the network's learning
RUNS = {
    "dsprites": {},
    "dsprites lr 1e-4": {"lr": 1e-4},
    "dsprites lr 1e-3": {"lr": 1e-3},
    "dsprites batch 16": {"batch_size": 16},
    "dsprites target 5": {"target": 5.0, "steps": 600},
    "dsprites target 2": {"target": 2.0, "steps": 600},
    "dsprites early": {"begin": 250},
    "toy conv64": {"data": "toy", "architecture": "conv64"},
    "scenes3d conv64": {"data": "scenes3d", "architecture": "conv64"},
    "faces": {"data": "faces"},
}


def prepare(target=20.0, begin=800, steps=800, architecture="burgess", data="dsprites", **train):
    """State of a run, and how many steps come before beta is moved, and after."""
    from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig, registry
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training.seeding import seed_everything

    begin = min(begin, steps) if begin == 800 else begin
    method = registry.load("methods", "dynamicvae").Config(controller="log", target=target)
    config = RunConfig(
        method="dynamicvae",
        method_config=method,
        data=data,
        data_options=DataOptions(),
        model=ModelConfig(architecture=architecture),
        train=TrainConfig(steps=round(begin / 0.4), threads=1, **train),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_everything(0)
        return build(config, Objects()).state, config, begin, steps


def measured(state, config, begin, steps):
    """KL and log beta of each step after `begin`."""
    import torch

    from autobeta.training.loop import make_forward
    from autobeta.weighting import weighted_sum

    torch.set_num_threads(1)
    forward, rng, left, sign = make_forward(state, config.train), np.random.default_rng(0), 0, 1
    for module in state.modules().values():
        module.train()
    before, found = [], []
    for step in range(begin + steps):
        _, terms = forward(next(state.batches))
        if step < begin:
            loss = state.weighting(terms, step)
            before.append(math.log(float(state.weighting.controller.beta)))
        else:
            if left == 0:
                sign, left = -sign, int(rng.choice([8, 16, 32, 64, 128]))
            left -= 1
            u = float(np.mean(before[-100:])) + MOVE * sign
            loss = weighted_sum(terms, {"kl": math.exp(u)})
            found.append((float(terms["kl"].detach()), u))
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
    return np.array(found)


def answer(series):
    """Slopes of the answer by lag, nats for each e-fold and step, with standard errors."""
    kl, u = series[:, 0], series[:, 1] - series[:, 1].mean()
    past = np.concatenate([np.zeros(BINS[-1]), u])
    columns = [
        [past[BINS[-1] + k - b : BINS[-1] + k - a].sum() for k in range(len(u))]
        for a, b in itertools.pairwise(BINS)
    ]
    t = np.linspace(-1, 1, len(u))
    design = np.array([*columns, np.ones(len(u)), t, t**2, t**3]).T
    fit, *_ = np.linalg.lstsq(design, kl, rcond=None)
    residual = kl - design @ fit
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual.var())
    widths = np.diff(BINS)
    fast = [i for i, b in enumerate(BINS[1:]) if b <= FAST]
    gain = -float(sum(fit[i] * widths[i] for i in fast))
    centres = [(a + b + 1) / 2 for a, b in itertools.pairwise(BINS)]
    delay = -float(sum(fit[i] * widths[i] * centres[i] for i in fast)) / gain
    return {
        "kl": round(float(kl.mean()), 2),
        "gain": round(gain, 2),
        "gain_over_root": round(gain / math.sqrt(kl.mean()), 2),
        "delay": round(delay, 1),
        "noise": round(float(np.diff(kl).std() / math.sqrt(2)), 3),
        "lags": list(BINS[1:]),
        "slopes": [round(-float(s), 4) for s in fit[: len(widths)]],
        "errors": [round(float(e), 4) for e in errors[: len(widths)]],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(RUNS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faces", help="folder of photographs, for the run of that name")
    options = parser.parse_args()
    done = json.loads(options.out.read_text()) if options.out.exists() else {}
    for name in options.names:
        settings = dict(RUNS[name])
        if settings.get("data") == "faces":
            settings["data"] = options.faces or "faces"
        if name not in done:
            done[name] = answer(measured(*prepare(**settings)))
            options.out.write_text(json.dumps(done, indent=1) + "\n")
        print(name, {key: done[name][key] for key in ("kl", "gain", "gain_over_root", "delay")})


if __name__ == "__main__":
    main()
