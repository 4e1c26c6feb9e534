"""Run folders to results.jsonl, a line each: `python collect.py RUN_OR_STUDY ...`.

Means are over the last quarter of a run; the curve has means over 500 steps every 1,000. Lines of
runs that are not given are kept.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from autobeta.reports import load_runs
from autobeta.settings import identity

HERE = Path(__file__).parent
END = HERE / "results.jsonl"
KEYS = ("method", "data.name", "model.likelihood", "train.seed", "train.steps", "train.batch_size")


def entry(run):
    own = identity(run.config)
    columns = {
        "step": [row["step"] for row in run.log],
        "r": [row["terms"]["reconstruction"] for row in run.log],
        "k": [row["kl_average"] for row in run.log],
        "beta": [row["beta"] for row in run.log],
    }
    step, r, k, beta = (np.array(values) for values in columns.values())
    last = step > 0.75 * step[-1]
    ratio = float(r[last].mean() / max(k[last].mean(), own.get("method_config.kl_floor", 0)))
    settings = {key: value for key, value in own.items() if key.startswith("method_config.")}
    curve = []
    for end in range(1000, int(step[-1]) + 1, 1000):
        at = (step > end - 500) & (step <= end)
        curve.append([end, *(round(float(v[at].mean()), 3) for v in (r, k, beta))])
    return {
        **{key: own[key] for key in KEYS},
        **settings,
        "reconstruction": round(float(r[last].mean()), 2),
        "kl": round(float(k[last].mean()), 2),
        "beta": round(float(beta[last].mean()), 3),
        "ratio": round(ratio, 3),
        "beta_over_ratio": round(float(beta[last].mean()) / ratio, 3),
        "metrics": run.metrics.get("metrics", {}),
        "evaluation": run.evaluation,
        "curve (step, R, K, beta)": curve,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    folders = parser.parse_args().folders
    found = {}
    for line in END.read_text("utf-8").splitlines() if END.exists() else []:
        row = json.loads(line)
        found[key_of(row)] = row
    runs = [path.parent for folder in folders for path in folder.rglob("metrics.json")]
    for run in load_runs(sorted(runs)):
        row = entry(run)
        found[key_of(row)] = row
        print({key: value for key, value in row.items() if not key.startswith("curve")})
    lines = [json.dumps(row) for _, row in sorted(found.items())]
    END.write_text("\n".join(lines) + "\n", "utf-8")


def key_of(row):
    return str([row[key] for key in row if key in KEYS or key.startswith("method_config.")])


if __name__ == "__main__":
    main()
