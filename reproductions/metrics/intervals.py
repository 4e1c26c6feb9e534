"""How often 95 % intervals hold the mean score: `python intervals.py [--draws 100]`.

The target is the mean score over all draws: what `draws` samples of `points` points score on
average. Three kinds of intervals: halves of the points (ours), a bootstrap's percentiles, and a
bootstrap's standard error. Writes `intervals.json` and `intervals.md` beside this file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from autobeta.metrics import intervals, score

HERE = Path(__file__).parent
CHEAP = ["mig", "jemmig", "dcimig", "modularity", "irs", "mcc", "sap", "infomec"]
METRICS = [*CHEAP, "gaussian_total_correlation", "factorvae[num_train=1000,num_eval=1000]", "dci"]
REPEATS = 20


SIZES = np.array([3, 6, 10])


def draw(n, rng):
    """Three factors with noise, the first latent mixed, and two latents of noise."""
    factors = rng.integers(SIZES, size=(n, 3))
    codes = (factors - (SIZES - 1) / 2) / np.sqrt((SIZES**2 - 1) / 12)
    codes[:, 0] += 0.4 * codes[:, 2]
    codes = np.hstack([codes, np.zeros((n, 2))])
    return codes + 0.5 * rng.standard_normal(codes.shape), factors


def flat(scores):
    """First part of a score that has parts."""
    return {k: next(iter(v.values())) if isinstance(v, dict) else v for k, v in scores.items()}


def one(seed, points):
    rng = np.random.default_rng(seed)
    codes, factors = draw(points, rng)
    scores, ends = intervals(codes, factors, metrics=METRICS, seed=seed)
    resampled = []
    for _ in range(REPEATS):
        rows = rng.integers(points, size=points)
        resampled.append(flat(score(codes[rows], factors[rows], metrics=METRICS, seed=seed)))
    found = {}
    for name, value in flat(scores).items():
        again = np.array([r[name] for r in resampled])
        spread = 2.09 * again.std(ddof=1)  # Student's t, 19 degrees of freedom
        found[name] = {
            "value": value,
            "halves": list(flat(ends)[name]),
            "bootstrap percentiles": np.quantile(again, [0.025, 0.975]).tolist(),
            "bootstrap error": [value - spread, value + spread],
            "bootstrap mean": float(again.mean()),
        }
    return found


def summary(found):
    result = {}
    for name in found[0]:
        runs = [f[name] for f in found]
        values = np.array([r["value"] for r in runs])
        target = values.mean()
        held = {
            kind: float(np.mean([r[kind][0] <= target <= r[kind][1] for r in runs]))
            for kind in ("halves", "bootstrap error", "bootstrap percentiles")
        }
        width = np.mean([r["halves"][1] - r["halves"][0] for r in runs])
        result[name] = {
            "mean": float(target),
            "std": float(values.std(ddof=1)),
            "mean_of_bootstraps": float(np.mean([r["bootstrap mean"] for r in runs])),
            "width": float(width),
            "coverage": held,
        }
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    found = Parallel(options.jobs, verbose=5)(
        delayed(one)(seed, options.points) for seed in range(options.draws)
    )
    result = {"draws": options.draws, "points": options.points, "scores": summary(found)}
    (HERE / "intervals.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    lines = [
        "| score | mean | std | mean of bootstraps | halves | bootstrap error | percentiles |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r in result["scores"].items():
        cells = [f"{r[k]:.3f}" for k in ("mean", "std", "mean_of_bootstraps")]
        cells += [f"{value:.0%}" for value in r["coverage"].values()]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    text = "# Intervals: how often 95 % of them hold the mean score\n\nMade by `intervals.py`.\n\n"
    (HERE / "intervals.md").write_text(text + "\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
