"""Trains the baselines and writes how they followed; README.md has the criterion.

python reproductions/baselines/run.py --out results.jsonl --arrays FOLDER --arm NAME ...
"""

import argparse
import gzip
import itertools
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from torch import nn

from autobeta import ModelConfig, RunConfig, TrainConfig, registry
from autobeta.data import load_data
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.settings import DataOptions
from autobeta.training import fit
from autobeta.training.seeding import seed_everything

ALL = ("dsprites", "scenes3d", "mnist", "toy")
BOTH = ("bernoulli", "gaussian")
# name: method, its settings, data, likelihoods; those with a number are the choices compared
FORMER = {"rising": 0.33}
ARMS = {
    "annealedvae": ("annealedvae", {}, ALL, BOTH),
    "annealedvae-long1": ("annealedvae", {"stiffness": 1.0}, ALL, BOTH),
    **{
        f"annealedvae-slope{stiffness}": (
            "annealedvae",
            {"stiffness": float(stiffness), **FORMER},
            ALL,
            BOTH,
        )
        for stiffness in (1, 3, 10)
    },
    **{
        f"annealedvae-{gamma}": ("annealedvae", {"gamma": float(gamma), **FORMER}, ALL, BOTH)
        for gamma in (10, 100, 1000)
    },
    "geco": ("geco", {}, ALL, BOTH),
    "geco-1.0": ("geco", {"beta_initial": 1.0, "warmup": 0.3}, ALL, BOTH),
    "geco-0.1": ("geco", {"beta_initial": 0.1, "warmup": 0.3}, ALL, BOTH),
    "geco-paper": (
        "geco",
        {"target": 60.0, "decay": 0.99, "rate": 1e-4, "max_change": 0.001},
        ALL,
        BOTH,
    ),
    "low": ("betavae", {"beta": 0.1}, ALL, BOTH),
}


def images_of(name, folder):
    """An array of images: drawn once, and kept in `folder`."""
    kept = folder / f"{name}.npy"
    if kept.exists():
        return np.load(kept)
    rng = np.random.default_rng(0)
    if name == "mnist":
        with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
            digits = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
        images = means(np.pad(digits, ((0, 0), (2, 2), (2, 2), (0, 0))), 2)
    elif name == "toy":
        dataset = load_data(name, DataOptions(image_size=32))
        images = means(dataset.images(np.arange(len(dataset))), 2)
    else:
        number = 20_000 if name.startswith("dsprites") else 5_000
        dataset = load_data(name.removesuffix("64"))
        images = dataset.images(np.sort(rng.choice(len(dataset), number, replace=False)))
        if name == "dsprites":
            images = images[:, ::4, ::4]
        elif name == "scenes3d":
            images = means(images, 4)
    np.save(kept, images)
    return images


def means(images, side):
    """Means of squares of pixels."""
    number, height, width, channels = images.shape
    squares = images.reshape(number, height // side, side, width // side, side, channels)
    return squares.mean((2, 4)).round().astype(np.uint8)


def small(image_shape, num_latents):
    """Two hidden layers of 256 units on either side."""
    height, width, channels = image_shape
    pixels = height * width * channels
    encoder = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(pixels, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2 * num_latents)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(num_latents, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, pixels)),
        nn.Unflatten(1, (channels, height, width)),
    )
    return Halves(encoder), decoder


class Halves(nn.Module):
    """Mean and log-variance: the halves of a layer's outputs."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return self.layers(x).chunk(2, dim=1)


def followed(log, method, steps):
    """What the criterion asks of a run's log."""
    last = [row for row in log if row["step"] > 0.9 * steps]
    mean = lambda rows, of: statistics.fmean(of(row) for row in rows)  # noqa: E731
    kl = mean(last, lambda row: row["kl_average"])
    reconstruction = mean(last, lambda row: row["terms"]["reconstruction"])
    found = {"kl": kl, "reconstruction": reconstruction}
    if method == "annealedvae":
        rising = [row for row in log if row["target"] < log[-1]["target"]]
        found["capacity"] = log[-1]["target"]
        found["rising"] = mean(rising, lambda row: abs(row["tracking_error"]))
        found["late"] = mean(last, lambda row: abs(row["tracking_error"]))
        found["follows"] = abs(kl - found["capacity"]) <= 0.5 and found["rising"] <= 1
        return found
    if method != "geco":
        return found
    found["target"] = target = log[-1]["state"].get("weighting.reconstruction_target", 60.0)
    found["beta"] = log[-1]["beta"]
    found["away"] = reconstruction / target - 1
    found["follows"] = abs(found["away"]) <= 0.05 and kl >= 1
    return found


def work(arm, data, likelihood, steps, network, folder):
    method, own, _, _ = ARMS[arm]
    config = RunConfig(
        method=method,
        method_config=registry.load("methods", method).Config(**own),
        data_options=DataOptions(image_size=None),
        model=ModelConfig(likelihood=likelihood),
        train=TrainConfig(steps=steps, threads=1, log_every=10, device="cpu"),
    )
    found = {"arm": arm, "data": data, "likelihood": likelihood, "steps": steps}
    found["network"] = network
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_everything(0)
        own = small if network == "small" else None
        given = Objects(data=images_of(data, folder), network=own)
        state = build(config, given).state
        try:
            log = fit(state, config.train)
        except Exception as error:
            return found | {"error": f"{type(error).__name__}: {error}"}
    numbers = followed(log, method, steps)
    seconds = round(time.monotonic() - begin)
    rounded = {key: v if isinstance(v, bool) else round(v, 4) for key, v in numbers.items()}
    return found | rounded | {"seconds": seconds}


def table(path, arms):
    """Markdown of the runs of some arms."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    names = ("kl", "reconstruction", "rising", "target", "away", "beta")
    head = ("arm", "data", "likelihood", "steps", "network", *names, "follows")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for arm, run in itertools.product(arms, runs):
        if run["arm"] == arm:
            cells = [run.get(key, "") for key in head]
            shown = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells]
            print(f"| {' | '.join(shown)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arrays", type=Path, required=True, help="where images are kept")
    parser.add_argument("--arm", nargs="+", choices=ARMS, default=["annealedvae", "geco"])
    parser.add_argument("--data", nargs="+", default=None)
    parser.add_argument("--likelihood", nargs="+", default=None)
    parser.add_argument("--steps", nargs="+", type=int, default=[1000, 5000])
    parser.add_argument("--network", default="small", choices=["small", "conv64"])
    parser.add_argument("--table", action="store_true", help="print what is there, train nothing")
    options = parser.parse_args()
    if options.table:
        return table(options.out, options.arm)
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    keys = ("arm", "data", "likelihood", "steps", "network")
    done = {tuple(json.loads(line)[key] for key in keys) for line in lines}
    for arm, steps in itertools.product(options.arm, options.steps):
        _, _, data, likelihoods = ARMS[arm]
        pairs = itertools.product(options.data or data, options.likelihood or likelihoods)
        for one, likelihood in pairs:
            if (arm, one, likelihood, steps, options.network) in done:
                continue
            found = work(arm, one, likelihood, steps, options.network, options.arrays)
            with options.out.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(found, flush=True)
    return None


if __name__ == "__main__":
    main()
