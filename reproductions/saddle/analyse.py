"""The step of the fourth latent for every run of the studies: results.md and results.csv.

python reproductions/saddle/analyse.py [STUDY ...]; without one, from results.csv as it stands
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from autobeta.run import folder as files
from autobeta.study.folder import read_study

HERE = Path(__file__).parent
SETTINGS = {
    "beta_initial": ("method_config", "beta_initial"),
    "rising": ("method_config", "rising"),
    "lr": ("train", "lr"),
    "batch_size": ("train", "batch_size"),
    "architecture": ("model", "architecture"),
    "seed": ("train", "seed"),
}
LINES, UNTRAINED = 5, 100


def fourth_latent(log):
    """Step from which a fourth latent has a nat in the mean over some lines; None for never."""
    rows = [row for row in log if row["step"] > UNTRAINED]
    fourth = np.array([sorted(row["kl_per_latent"])[-4] for row in rows])
    alive = np.flatnonzero(np.convolve(fourth, np.full(LINES, 1 / LINES), "valid") >= 1)
    return rows[alive[0]]["step"] if len(alive) else None


def entry(run):
    config, metrics = files.read_config(run), files.read_json(run / files.METRICS)
    log = files.read_log(run)
    own = {name: config[part][key] for name, (part, key) in SETTINGS.items()}
    scores = metrics["metrics"]
    own |= {"fourth_latent": fourth_latent(log), "R": log[-1]["terms"]["reconstruction"]}
    own |= {"KL": log[-1]["kl_average"], "set_point": log[-1]["target"], "beta": log[-1]["beta"]}
    own["MIG"] = scores["mig[bins=20]"]
    own["DCI"] = scores["dci[lightgbm]"]["disentanglement"]
    return own


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", type=Path, nargs="*")
    if studies := parser.parse_args().studies:
        write(HERE / "results.csv", studies)
    with (HERE / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|"]
    lines += [f"| {' | '.join(map(shown, row.values()))} |" for row in rows]
    (HERE / "results.md").write_text("\n".join(lines) + "\n", "utf-8")


def write(table, studies):
    """The table of the studies' finished runs, a row each."""
    read = [read_study(folder) for folder in studies]
    runs = [study.run(name) for study in read for name in study.runs]
    rows = [entry(run) for run in runs if (run / files.METRICS).exists()]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def shown(cell):
    """A number in four digits, unless it is a whole one; other cells as they are."""
    return f"{float(cell):.4g}" if "." in cell else cell or "None"


if __name__ == "__main__":
    main()
