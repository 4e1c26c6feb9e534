"""How each score moves, and how far its estimate is off: `python estimates.py [--draws 5]`.

Writes `estimates.json` beside this file and one figure a score into docs/images/metrics. It goes
on where it stopped; `--only NAME ...` computes some scores anew. About half an hour on one core.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from cases import (
    NOISY,
    POSTERIOR,
    SIZES,
    information,
    noise,
    perfect,
    rotated,
    with_noise,
)

from autobeta.metrics import printed_name, score
from autobeta.registry import available, describe
from autobeta.reports._style import COLOURS, GREY, MARKERS, style

HERE = Path(__file__).parent
FIGURES = HERE.parents[1] / "docs" / "images" / "metrics"
POINTS = (300, 1000, 3000, 10_000)
NOISES = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
ANGLES = (0, 10, 20, 30, 45)
CASES = {"perfect": perfect, "noisy": with_noise(NOISY), "noise": noise}
NAMES = [*available("metrics"), "dci[rf]", "dci[lasso]", "mcc[spearman]"]


def parts_of(name, codes, factors, seed=0):
    """The parts of a score, {"": value} of one without parts."""
    n = len(codes)
    options = {}
    if "logvars" in describe("metrics", name.split("[")[0])["NEEDS"]:
        options["logvars"] = np.full(codes.shape, 2 * np.log(POSTERIOR))
    if name == "probes":  # the most labels that there are
        found = score(codes, factors, metrics=[name], seed=seed)[name]
        return {p: found[f"{p}/{n - n // 3}"] for p in ("linear", "boosted")}
    (value,) = score(codes, factors, metrics=[name], seed=seed, **options).values()
    return value if isinstance(value, dict) else {"": value}


def answers(name):
    """Known values with ever more points: case, then part. Missing where none is known."""
    entropy = np.log(SIZES)
    gauss = information(NOISY)
    wide = information(np.hypot(NOISY, POSTERIOR))
    chance = {"": 1 / len(SIZES)}
    guess = float(np.mean(1 / SIZES))
    mig = {"": float(np.mean(gauss / entropy))}
    posterior = {"": float(np.mean(wide / entropy))}
    rank = {"modularity": 1.0, "compactness": 1.0}
    return {
        "mig": {"perfect": {"": 1.0}, "noisy": mig, "noise": {"": 0.0}},
        "rmig": {"noisy": posterior, "noise": {"": 0.0}},
        "chenmig": {"noisy": posterior, "noise": {"": 0.0}},
        "dcimig": {
            "perfect": {"": 1.0},
            "noisy": {"": float(gauss.sum() / entropy.sum())},
            "noise": {"": 0.0},
        },
        "jemmig": {"noise": {"": 0.0}},
        "modularity": {"perfect": {"": 1.0}, "noisy": {"": 1.0}},
        "infomec": {
            "perfect": {**rank, "explicitness": 1.0},
            "noisy": rank,
            "noise": {"explicitness": 0.0},
        },
        "explicitness": {"perfect": {"": 1.0}, "noise": {"": 0.5}},
        "dci": {
            "perfect": {"disentanglement": 1.0, "completeness": 1.0, "informativeness": 1.0},
            "noise": {"disentanglement": 0.0, "completeness": 0.0, "informativeness": guess},
        },
        "sap": {"noise": {"": 0.0}},
        "factorvae": {"perfect": {"": 1.0}, "noisy": {"": 1.0}, "noise": chance},
        "betavae": {"perfect": {"": 1.0}, "noisy": {"": 1.0}, "noise": chance},
        "irs": {"perfect": {"": 1.0}, "noise": {"": 0.01}},
        "mcc": {"perfect": {"": 1.0}, "noisy": {"": 1 / np.hypot(1, NOISY)}, "noise": {"": 0.0}},
        "probes": {"perfect": {"boosted": 1.0}, "noise": {"linear": guess, "boosted": guess}},
        "gaussian_total_correlation": {case: {"": 0.0} for case in CASES},
        "gaussian_wasserstein": {case: {"distance": 0.0, "normalised": 0.0} for case in CASES},
    }[name.split("[")[0]]


def measure(name, draws):
    """Score by noise, by angle, and by case and number of points, {part: mean, std}."""

    def at(case, n, repeats):
        found = [
            parts_of(name, *case(n, np.random.default_rng([seed, n])), seed=seed)
            for seed in range(repeats)
        ]
        return {
            part: [float(np.mean(values)), float(np.std(values))]
            for part in found[0]
            for values in [[f[part] for f in found]]
        }

    return {
        "noise": {str(std): at(with_noise(std), POINTS[-1], 1) for std in NOISES},
        "angle": {str(angle): at(rotated(angle), POINTS[-1], 1) for angle in ANGLES},
        "points": {
            case: {str(n): at(draw, n, draws) for n in POINTS} for case, draw in CASES.items()
        },
    }


def figure(name, found):
    """Rows of parts; columns: noise, angle, number of points."""
    parts = list(found["noise"]["0.0"])
    known = answers(name)
    fig, rows = plt.subplots(
        len(parts), 3, figsize=(8.4, 2.2 * len(parts) + 0.6), squeeze=False, sharey="row"
    )
    for part, (left, middle, right) in zip(parts, rows, strict=True):
        for axis, key, label in (
            (left, "noise", "noise added (standard deviations)"),
            (middle, "angle", "rotation (degrees)"),
        ):
            x = [float(k) for k in found[key]]
            axis.plot(x, [v[part][0] for v in found[key].values()], "o-", color=COLOURS[0], ms=4)
            axis.set_xlabel(label)
        for (case, by_points), colour, marker in zip(
            found["points"].items(), (COLOURS[2], COLOURS[0], COLOURS[1]), MARKERS, strict=False
        ):
            x = [int(n) for n in by_points]
            mean, std = zip(*(v[part] for v in by_points.values()), strict=True)
            right.errorbar(x, mean, std, marker=marker, ms=4, color=colour, label=case, capsize=2)
            if part in known.get(case, {}):
                right.axhline(known[case][part], color=colour, lw=1, ls=":", zorder=0)
        right.set_xscale("log")
        right.set_xticks(POINTS, [f"{n:,}" for n in POINTS])
        right.minorticks_off()
        right.set_xlabel("number of points")
        left.set_ylabel(part or printed_name(name))
    handles, labels = rows[0][2].get_legend_handles_labels()
    labels[0] += " (dotted: known values)"
    fig.legend(handles, labels, loc="outside lower right", ncols=3, fontsize=8)
    rows[0][0].set_title("a perfect code with noise", color=GREY)
    rows[0][1].set_title("a perfect code, rotated", color=GREY)
    rows[0][2].set_title("estimate by number of points", color=GREY)
    return fig


def table(results):
    """Estimate less known value, by case and number of points."""
    lines = [
        "| score | codes | known | 300 | 1,000 | 3,000 | 10,000 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        for case, by_part in answers(name).items():
            for part, value in by_part.items():
                off = [by[part][0] - value for by in found["points"][case].values()]
                cells = [f"{o:+.3f}" for o in off]
                label = f"{printed_name(name)} {part}".strip()
                lines.append(f"| `{label}` | {case} | {value:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=5, help="draws at each number of points")
    parser.add_argument("--only", nargs="*", default=[], help="scores to compute anew")
    options = parser.parse_args()
    path = HERE / "estimates.json"
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if name not in results or name in options.only:
            results[name] = measure(name, options.draws)
            path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
            print(name, flush=True)
        with style():
            fig = figure(name, results[name])
            fig.savefig(FIGURES / f"{name.replace('[', '-').rstrip(']')}.png", dpi=80)
            plt.close(fig)
    (HERE / "estimates.md").write_text(
        "# Estimates less known values\n\nMade by `estimates.py`.\n\n" + table(results), "utf-8"
    )


if __name__ == "__main__":
    main()
