"""Images per second of a training step: ours against the straightforward one, in the same run.

    python benchmarks/training.py [--steps 60] [--threads 1]

Straightforward: row-by-row memory, the last transposed convolution as torch has it, Adam's loop
over tensors. Ours: channels last, pixel shuffle, fused Adam. Both have the same weights and take
the same images. Rounds alternate, so that a busy machine slows both; the median counts.
"""

import argparse
import json
import platform
import statistics
import time
from datetime import date
from pathlib import Path

import torch
from torch import nn

from autobeta import ModelConfig, RunConfig
from autobeta.models._layers import UpsamplingConv
from autobeta.objectives import Elbo
from autobeta.run.build import build_model
from autobeta.run.objects import Objects

SHAPE = (64, 64, 1)
BATCH = 64
ROUNDS = 7


def straightforward(model):
    """The same network with torch's own layers and memory format."""
    model = model.to(memory_format=torch.contiguous_format)
    last = model.decoder[-1]
    assert isinstance(last, UpsamplingConv)
    plain = nn.ConvTranspose2d(last.in_channels, last.out_channels, 4, stride=2, padding=1)
    plain.load_state_dict(last.state_dict())
    model.decoder[-1] = plain
    return model


def step(model, optimizer, x):
    terms = Elbo()(x, model(x))
    optimizer.zero_grad()
    (terms["reconstruction"] + terms["kl"]).backward()
    optimizer.step()


def images_per_second(model, optimizer, x, steps):
    begin = time.perf_counter()
    for _ in range(steps):
        step(model, optimizer, x)
    return steps * BATCH / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=15, help="steps in each round")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x = (torch.rand(BATCH, 1, *SHAPE[:2]) > 0.96).float()
    results = {}
    for architecture in ("conv64", "burgess"):
        config = RunConfig(method="vae", model=ModelConfig(architecture=architecture))
        ours, other = (build_model(config, Objects(), SHAPE, 1)[0] for _ in range(2))
        plain = straightforward(other)
        plain.load_state_dict(ours.state_dict())
        arms = {
            "ours": (
                ours,
                torch.optim.Adam(ours.parameters(), 5e-4, fused=True),
                x.contiguous(memory_format=torch.channels_last),
            ),
            "straightforward": (plain, torch.optim.Adam(plain.parameters(), 5e-4), x),
        }
        speeds = {name: [] for name in arms}
        for arm in arms.values():
            images_per_second(*arm, 3)
        for _ in range(ROUNDS):
            for name, arm in arms.items():
                speeds[name].append(images_per_second(*arm, options.steps))
        median = {name: statistics.median(values) for name, values in speeds.items()}
        ratio = statistics.median(
            a / b for a, b in zip(speeds["ours"], speeds["straightforward"], strict=True)
        )
        results[architecture] = {
            "images_per_second": {name: round(value) for name, value in median.items()},
            "ratio": round(ratio, 2),
        }
        print(architecture, results[architecture])
    about = {
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": options.threads,
        "batch": BATCH,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"about": about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
