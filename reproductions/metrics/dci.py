"""Fast and exact DCI side by side: `python dci.py [--runs DIR] [--points 3000]`.

Representations are synthetic ones (cases.py) and those of the runs in DIR, any folders with a
`representation.npz`. A third of the points is held out. Each takes a minute or two for the exact
variant; results are kept one by one in `dci.json`, and a figure goes into docs/images/metrics.
"""

import argparse
import json
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from cases import bent, copied, entangled, noise, partial, rotated, with_noise
from scipy.stats import spearmanr

from autobeta.metrics import DCI, dci, dci_gbt, dci_rf
from autobeta.reports._style import COLOURS, GREY, MARKERS, style

HERE = Path(__file__).parent
FIGURES = HERE.parents[1] / "docs" / "images" / "metrics"
SYNTHETIC = {
    "noise 0.05": with_noise(0.05),
    "noise 0.3": with_noise(0.3),
    "noise 1": with_noise(1.0),
    "noise 3": with_noise(3.0),
    "rotated 15": rotated(15),
    "rotated 45": rotated(45),
    "partial": partial,
    "copied": copied,
    "bent": bent,
    "entangled": entangled,
    "pure noise": noise,
}
VARIANTS = {"lightgbm": dci, "rf": dci_rf, "gbt": dci_gbt}


def representations(runs, points):
    for name, draw in SYNTHETIC.items():
        yield name, lambda draw=draw: draw(points, np.random.default_rng(0))
    for path in sorted(runs.glob("*/representation.npz")) if runs else ():
        yield path.parent.name, lambda path=path: stored(path, points)


def stored(path, points):
    with np.load(path) as file:
        codes, factors = file["codes"], file["factors"]
    chosen = np.random.default_rng(0).permutation(len(codes))[:points]
    varying = np.ptp(factors, axis=0) > 0
    return codes[chosen].astype(np.float64), factors[chosen][:, varying]


def measure(codes, factors):
    found = {}
    for name, variant in VARIANTS.items():
        begin = time.process_time()
        scores = variant(codes, factors)
        found[name] = {**scores._asdict(), "cpu_seconds": time.process_time() - begin}
    return found


def summary(results):
    """Rank correlation with, and largest distance from, the exact variant; ratio of CPU time."""
    found = {}
    for variant in ("lightgbm", "rf"):
        found[variant] = {}
        for part in DCI._fields:
            a, b = (np.array([r[v][part] for r in results.values()]) for v in (variant, "gbt"))
            found[variant][part] = {
                "rank_correlation": float(spearmanr(a, b)[0]),
                "largest_difference": float(np.abs(a - b).max()),
                "mean_difference": float((a - b).mean()),
            }
        seconds = [sum(r[v]["cpu_seconds"] for r in results.values()) for v in ("gbt", variant)]
        found[variant]["times_faster"] = seconds[0] / seconds[1]
    return found


def figure(results):
    fig, axes = plt.subplots(1, 3, figsize=(8.4, 3.0))
    for axis, part in zip(axes, DCI._fields, strict=True):
        exact = [r["gbt"][part] for r in results.values()]
        for variant, colour, marker in (
            ("rf", COLOURS[1], MARKERS[1]),
            ("lightgbm", COLOURS[0], MARKERS[0]),
        ):
            y = [r[variant][part] for r in results.values()]
            axis.plot(exact, y, marker, color=colour, ms=4, label=f"dci[{variant}]")
        axis.plot([0, 1], [0, 1], color=GREY, lw=0.8, zorder=0)
        axis.set_title(part)
        axis.set_xlabel("dci[gbt], exact")
    axes[0].set_ylabel("fast variant")
    axes[0].legend()
    return fig


def table(results):
    lines = ["| representation | dci[lightgbm] | dci[rf] | dci[gbt] |", "|---|---|---|---|"]
    for name, found in results.items():
        cells = [" / ".join(f"{found[v][part]:.2f}" for part in DCI._fields) for v in VARIANTS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, help="folder of run folders")
    parser.add_argument("--points", type=int, default=3000)
    options = parser.parse_args()
    path = HERE / "dci.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": {}}
    results = kept["runs"]
    for name, load in representations(options.runs, options.points):
        if name not in results:
            results[name] = measure(*load())
            print(name, results[name], flush=True)
            text = {"points": options.points, "runs": results}
            path.write_text(json.dumps(text, indent=1) + "\n", "utf-8")
    kept = {"points": options.points, "summary": summary(results), "runs": results}
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    with style():
        fig = figure(results)
        FIGURES.mkdir(parents=True, exist_ok=True)
        fig.savefig(FIGURES / "dci-variants.png", dpi=80)
    text = "# DCI: disentanglement / completeness / informativeness\n\nMade by `dci.py`.\n\n"
    (HERE / "dci.md").write_text(text + table(results), "utf-8")
    print(json.dumps(kept["summary"], indent=1))


if __name__ == "__main__":
    main()
