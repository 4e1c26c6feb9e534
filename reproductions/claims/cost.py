"""What a training step of each method costs beside a VAE's: cost.csv.

Processor time of one thread, which other processes disturb less than the clock; methods in turn,
round by round, medians. `burgess`, dSprites, batch 64.

python reproductions/claims/cost.py [--precision bfloat16]
"""

import argparse
import csv
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
METHODS = (
    *("vae", "betavae", "annealedvae", "cyclicalvae", "factorvae", "betatcvae", "dipvae"),
    *("infovae", "controlvae", "dynamicvae", "geco", "sigmavae", "lvae", "mdlvae"),
)
ROUNDS, STEPS = 3, 40


def steps_of(method, precision):
    """A generator: each `next` trains some steps, and gives their milliseconds and the most MB."""
    from autobeta import ModelConfig, RunConfig, TrainConfig
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training.loop import _update, make_forward

    train = TrainConfig(steps=10**6, precision=precision, threads=1, log_every=10**6)
    config = RunConfig(method=method, model=ModelConfig(architecture="burgess"), train=train)
    state = build(config, Objects()).state
    for module in state.modules().values():
        module.train()
    forward = make_forward(state, train)
    while True:
        begin = time.process_time()
        for _ in range(STEPS):
            _update(state, train, forward)
        spent = 1000 * (time.process_time() - begin) / STEPS
        yield spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(method, precision):
    """One method in a process of its own, a round for each line of standard input."""
    found = steps_of(method, precision)
    next(found)  # the first steps prepare
    for _ in sys.stdin:
        print(*next(found), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--method", help="used by the program itself")
    options = parser.parse_args()
    if options.method:
        return work(options.method, options.precision)
    workers = {}
    for method in METHODS:
        command = [sys.executable, __file__, "--precision", options.precision]
        workers[method] = subprocess.Popen(
            [*command, "--method", method],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    rows = {method: [] for method in METHODS}
    for _ in range(ROUNDS):
        for method, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            rows[method].append([float(part) for part in worker.stdout.readline().split()])
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    spent = {method: np.median([row[0] for row in found]) for method, found in rows.items()}
    with (HERE / "cost.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "precision", "milliseconds a step", "of a VAE's", "peak MB"])
        for method, found in rows.items():
            ratio, peak = spent[method] / spent["vae"], max(row[1] for row in found)
            cells = [f"{spent[method]:.1f}", f"{ratio:.2f}", f"{peak:.0f}"]
            writer.writerow([method, options.precision, *cells])
    return None


if __name__ == "__main__":
    main()
