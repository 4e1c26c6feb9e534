"""How often 95 % intervals hold the value at ever more points: `python limits.py [--draws 60]`.

They are not made for it: the value is the score of 200,000 points (60,000 for `sap`, which takes
longest), and the intervals are by halves of 1,000. Codes as in `intervals.py`. Writes
`limits.json` beside this file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from intervals import draw, flat

from autobeta.metrics import intervals, score

METRICS = ["mig", "jemmig", "dcimig", "modularity", "irs", "mcc", "gaussian_total_correlation"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=60)
    options = parser.parse_args()
    many = np.random.default_rng(12345)
    value = flat(score(*draw(200_000, many), metrics=METRICS))
    value |= flat(score(*draw(60_000, many), metrics=["sap"]))
    held = {name: [] for name in value}
    for seed in range(options.draws):
        sample = draw(1000, np.random.default_rng(seed))
        _, ends = intervals(*sample, metrics=[*METRICS, "sap"], seed=seed)
        for name, (low, high) in flat(ends).items():
            held[name].append(low <= value[name] <= high)
    found = {
        name: {"value": round(value[name], 3), "coverage": round(float(np.mean(h)), 3)}
        for name, h in held.items()
    }
    text = json.dumps({"draws": options.draws, "scores": found}, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
