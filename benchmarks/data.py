"""What a batch costs beside a training step, and what full dSprites adds to a process's memory.

    python benchmarks/data.py [SET ...]

Each set (dsprites and scenes3d if none is named; a set of which a part was prepared is opened as
it is) gives batches of 64 from its memory map. The step is that of a network of Burgess et al. on
such a batch, one thread. Beside it stands the usual way: a DataLoader over single images, each
turned into a tensor. Rounds alternate; medians. "cold" is the mean of the first batches of a
process while it trains, after the system was asked to drop the file from memory, which it does if
no process has it mapped; "cold, not read ahead" is the same without our asking for images ahead.

Memory is what the system counts as anonymous, so without the page cache: of a process that has
torch, a model and its optimiser and has made ten steps on random images, on batches of dSprites,
and on batches of the whole array held in memory, as peers do.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from autobeta import ModelConfig, RunConfig
from autobeta.data import Batches, DataOptions, load_data
from autobeta.data._core.sources import StoredImages
from autobeta.errors import MissingDataError
from autobeta.objectives import Elbo
from autobeta.run.build import build_model
from autobeta.run.objects import Objects

BATCH = 64
ROUNDS = 9


class SingleImages(Dataset):
    """Images one by one, as peers read them."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        image = self.dataset.images(np.array([i]))[0]
        return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / 255)


def opened(name):
    try:
        return load_data(name)
    except (MissingDataError, ValueError):
        return load_data(name, DataOptions(unofficial=True))


def trainer(shape):
    """Function that makes one training step on a batch."""
    config = RunConfig(method="vae", model=ModelConfig(architecture="burgess"))
    model = build_model(config, Objects(), shape, 1)[0]
    optimizer = torch.optim.Adam(model.parameters(), 5e-4, fused=True)

    def step(x):
        terms = Elbo()(x, model(x))
        optimizer.zero_grad()
        (terms["reconstruction"] + terms["kl"]).backward()
        optimizer.step()

    return step


def seconds(function, times):
    begin = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - begin) / times


def batch_cost(name):
    """Milliseconds of a batch in several ways, and their ratio to a step."""
    found, path = warm_batch(name)
    for way in ("cold", "cold, not read ahead"):
        found[way] = in_process(cold_batch, name, path, way == "cold")
    return {
        "milliseconds": {way: round(1e3 * value, 2) for way, value in found.items()},
        "ratio_to_step": {way: round(value / found["step"], 4) for way, value in found.items()},
    }


def warm_batch(name):
    """Median seconds over alternating rounds, and the file that the images are read from."""
    dataset = opened(name)
    batches = Batches(dataset, BATCH, seed=0)
    singles = iter(DataLoader(SingleImages(dataset), BATCH, shuffle=True))
    step = trainer(dataset.image_shape)
    step(next(batches))
    found = {"batch": [], "DataLoader": [], "step": []}
    for _ in range(ROUNDS):
        found["batch"].append(seconds(lambda: next(batches), 10))
        found["DataLoader"].append(seconds(lambda: next(singles), 2))
        x = next(batches)
        found["step"].append(seconds(lambda x=x: step(x), 5))
    medians = {way: statistics.median(times) for way, times in found.items()}
    return medians, dataset.images.table.filename


def cold_batch(name, path, ahead):
    """Mean seconds of the first 40 batches while training, from a file that is not in memory."""
    with open(path, "rb") as file:  # noqa: PTH123 - needs a descriptor
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if not ahead:
        StoredImages.read_ahead = lambda self, index: None
    torch.set_num_threads(1)
    dataset = opened(name)
    step = trainer(dataset.image_shape)
    step(torch.rand(BATCH, dataset.image_shape[2], 64, 64))
    batches = Batches(dataset, min(BATCH, len(dataset)), seed=int(time.time()))
    times = []
    for _ in range(min(40, len(dataset) // BATCH)):
        begin = time.perf_counter()
        x = next(batches)
        times.append(time.perf_counter() - begin)
        step(x)
    return statistics.mean(times)


def in_process(function, *arguments):
    """What a function returns, called in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def anonymous_memory():
    """Megabytes of this process that are not backed by files."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def memory_of(way):
    torch.set_num_threads(1)
    step = trainer((64, 64, 1))
    if way == "random images":
        batches = iter(lambda: torch.rand(BATCH, 1, 64, 64), None)
    elif way == "dsprites":
        batches = Batches(load_data("dsprites"), BATCH, seed=0)
    else:
        batches = from_memory(load_data("dsprites"))
    for _ in range(10):
        step(next(batches))
    return anonymous_memory()


def from_memory(dataset):
    """Random batches from an array of all images."""
    held = np.empty((len(dataset), *dataset.image_shape), np.uint8)
    for start in range(0, len(held), 4096):
        index = np.arange(start, min(start + 4096, len(held)))
        held[index] = dataset.images(index)
    rng = np.random.default_rng(0)
    while True:
        chosen = held[rng.integers(len(held), size=BATCH)]
        yield torch.from_numpy(chosen.transpose(0, 3, 1, 2) / np.float32(255))


def memory():
    """Megabytes of three processes, and what dSprites adds."""
    ways = ("random images", "dsprites", "whole array")
    found = {way: round(in_process(memory_of, way)) for way in ways}
    return {
        "megabytes": found,
        "added_by_dsprites": found["dsprites"] - found["random images"],
        "added_by_whole_array": found["whole array"] - found["random images"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", nargs="*", default=["dsprites", "scenes3d"])
    torch.set_num_threads(1)
    results = {}
    for name in parser.parse_args().sets:
        results[name] = batch_cost(name)
        print(name, results[name], flush=True)
    results["memory"] = memory()
    print("memory", results["memory"])
    about = {
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": 1,
        "batch": BATCH,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"about": about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
