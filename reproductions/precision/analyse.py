"""Tables of the study: pairs of runs, and intervals of their mean difference.

`python reproductions/precision/analyse.py STUDY`

Writes results.json and results.md beside this file.
"""

import argparse
import json
import platform
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from autobeta.run import folder as files
from autobeta.study.folder import Study, read_study

HERE = Path(__file__).parent
METHODS = ("vae", "dynamicvae", "lvae")
DATA = ("dsprites", "scenes3d")
SEEDS = range(3)
PRECISIONS = ("float32", "bfloat16")
MARGINS = {"R + KL, relative": 0.02, "KL": 0.5, "MIG": 0.03, "DCI-D": 0.03, "SAP": 0.03}
MARGINS |= {"FactorVAE": 0.05}


def run_folders(study: Study) -> dict[str, Path]:
    """The run folders of the study by data, method, precision and seed."""
    found = {}
    for name, own in study.runs.items():
        parts = (own["data"]["name"], own["method"], own["train"]["precision"])
        found[f"{'-'.join(parts)}-s{own['train']['seed']}"] = study.run(name)
    return found


def outcome(folder: Path) -> dict[str, float]:
    """What the study compares, of one run; nats, and scores in [0, 1]."""
    found = files.read_metrics(folder / files.METRICS)
    losses, scores = found["evaluation"]["train"], found["metrics"]
    return {
        "R + KL": losses["reconstruction"] + losses["kl"],
        "KL": losses["kl"],
        "MIG": scores["mig[bins=20]"],
        "DCI-D": scores["dci[lightgbm]"]["disentanglement"],
        "SAP": scores["sap"],
        "FactorVAE": scores["factorvae"],
    }


def difference(slow: dict[str, float], fast: dict[str, float]) -> dict[str, float]:
    """bfloat16 less float32."""
    found = {key: fast[key] - slow[key] for key in slow}
    found["R + KL, relative"] = found.pop("R + KL") / slow["R + KL"]
    return found


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % t interval."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    width = float(student.ppf(0.975, len(values) - 1)) * error
    return mean, mean - width, mean + width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="the study's folder")
    runs = run_folders(read_study(parser.parse_args().study))
    cells = list(product(DATA, METHODS))
    found = {
        f"{data}-{method}-{precision}-s{seed}": outcome(
            runs[f"{data}-{method}-{precision}-s{seed}"]
        )
        for (data, method), precision, seed in product(cells, PRECISIONS, SEEDS)
    }
    speed = {
        precision: float(
            np.median(
                [
                    row["images_per_second"]
                    for name in found
                    if f"-{precision}-" in name
                    for row in files.read_jsonl(runs[name] / files.TIMING)
                ]
            )
        )
        for precision in PRECISIONS
    }
    pairs = {
        f"{data}-{method}-s{seed}": difference(
            *(found[f"{data}-{method}-{precision}-s{seed}"] for precision in PRECISIONS)
        )
        for (data, method), seed in product(cells, SEEDS)
    }
    lines = ["| | margin | mean difference | 95 % interval | within |", "|---|---|---|---|---|"]
    intervals = {}
    for key, margin in MARGINS.items():
        mean, low, high = intervals[key] = interval([pair[key] for pair in pairs.values()])
        within = "yes" if max(-low, high) <= margin else "**can't be told**"
        lines.append(f"| {key} | {margin} | {mean:+.4f} | {low:+.4f} to {high:+.4f} | {within} |")
    lines += ["", "Mean of three seeds, float32 / bfloat16:", ""]
    names = list(next(iter(found.values())))
    lines += [f"| data | method | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for data, method in cells:
        row = []
        for key in names:
            ends = [
                np.mean([found[f"{data}-{method}-{precision}-s{s}"][key] for s in SEEDS])
                for precision in PRECISIONS
            ]
            row.append(" / ".join(f"{end:.4g}" for end in ends))
        lines.append(f"| {data} | {method} | {' | '.join(row)} |")
    machine = {
        "torch": torch.__version__.split("+")[0],
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cpu": torch.cpu.get_capabilities().get("cpu_name"),
        "python": platform.python_version(),
    }
    result = {
        "machine": machine,
        "images_per_second": speed,
        "intervals": intervals,
        "pairs": pairs,
        "runs": found,
    }
    (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "results.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines), speed)


if __name__ == "__main__":
    main()
