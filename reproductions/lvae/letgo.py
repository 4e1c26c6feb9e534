"""What weights that wait for nothing make of trained networks: `python letgo.py STEPS RUN ...`.

Each run's network is trained on with `wait` `never`, from the level and the beta that it ended
with and a new Adam; means over five lines of the log go to letgo.jsonl.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from autobeta import load_run
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit
from autobeta.training.seeding import seed_everything

END = Path(__file__).parent / "letgo.jsonl"
EVERY, MEAN = 100, 5  # steps of a line, lines of a mean


def let_go(folder, steps):
    run, log = load_run(folder, device="cpu"), files.read_log(folder)
    level = sum(row["terms"]["reconstruction"] for row in log[-50:]) / 50
    method = replace(run.config.method_config, wait="never")
    train = replace(run.config.train, steps=steps, log_every=EVERY)
    seed_everything(1)
    state = build(replace(run.config, method_config=method, train=train), Objects()).state
    state.model.load_state_dict(run.model.state_dict())
    weighting, beta = state.weighting, log[-1]["beta"]
    begun = {"variance_reconstruction": level, "variance_kl": level / beta, "beta": beta}
    for name, value in (begun | {"level": level, "lowest": level}).items():
        weighting.get_buffer(name).fill_(value)
    return [*means(fit(state, train))]


def means(log):
    for end in range(MEAN, len(log) + 1, MEAN):
        part = log[end - MEAN : end]
        r = sum(row["terms"]["reconstruction"] for row in part) / MEAN
        k = sum(row["kl_average"] for row in part) / MEAN
        yield {"step": part[-1]["step"], "r": r, "k": k, "beta": part[-1]["beta"]}


def main():
    torch.set_num_threads(1)
    for folder in sys.argv[2:]:
        config = files.read_config(Path(folder))
        own = {"data": config["data"]["name"], "likelihood": config["model"]["likelihood"]}
        own["seed"] = config["train"]["seed"]
        with END.open("a") as file:
            line = own | {"curve (step, r, k, beta)": let_go(Path(folder), int(sys.argv[1]))}
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
