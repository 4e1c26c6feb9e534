"""How far `dci[lightgbm]` is from `dci[gbt]` with few points or factors of few values.

    python few.py

Codes of cases.py, whose factors are merged into eight values or two, at 300 and 1,000 points.
Writes `few.json` beside this file. Five minutes.
"""

import json
from pathlib import Path

import numpy as np
from cases import SIZES, bent, copied, entangled, noise, rotated, with_noise

from autobeta.metrics import DCI, dci, dci_gbt

CASES = {
    "noise 0.3": with_noise(0.3),
    "noise 1": with_noise(1.0),
    "noise 3": with_noise(3.0),
    "rotated 15": rotated(15),
    "rotated 45": rotated(45),
    "entangled": entangled,
    "copied": copied,
    "bent": bent,
    "pure noise": noise,
}
FACTORS = {
    "at most 8 values": lambda f: f * np.minimum(SIZES, 8) // SIZES,
    "two values": lambda f: f * 2 // SIZES,
}


def main():
    found = {}
    for points in (300, 1000):
        for kind, values in FACTORS.items():
            for name, draw in CASES.items():
                codes, factors = draw(points, np.random.default_rng(0))
                a, b = (metric(codes, values(factors)) for metric in (dci, dci_gbt))
                key = f"{points} points, {kind}"
                found.setdefault(key, {})[name] = np.subtract(a, b).round(3).tolist()
                print(key, name, found[key][name], flush=True)
    summary = {
        key: {
            part: {
                "mean_difference": round(float(column.mean()), 3),
                "largest_difference": round(float(np.abs(column).max()), 3),
            }
            for part, column in zip(DCI._fields, np.array(list(cases.values())).T, strict=True)
        }
        for key, cases in found.items()
    }
    text = json.dumps({"summary": summary, "differences": found}, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
