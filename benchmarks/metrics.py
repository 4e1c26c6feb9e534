"""Seconds of the metrics: ours against the straightforward way, in the same run.

    python benchmarks/metrics.py [--quick]

Straightforward: loops over latents and factors with scikit-learn's functions, one thread, and
disentanglement_lib's choice of predictors. 10,000 points, 10 latents, dSprites' five factors.
`--quick` takes 2,000 points, a minute or two instead of a quarter of an hour.
"""

import argparse
import json
import platform
import time
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from autobeta.metrics import betavae, dci, dci_gbt, factorvae, infomec, mig, sap, score

SIZES = np.array([3, 6, 40, 32, 32])


def sample(n, rng):
    """Codes of middling quality: noisy factors, partly mixed, and noise."""
    factors = rng.integers(SIZES, size=(n, 5))
    codes = (factors - (SIZES - 1) / 2) / np.sqrt((SIZES**2 - 1) / 12)
    codes[:, 0] += 0.4 * codes[:, 3]
    codes = np.hstack([codes, np.zeros((n, 5))]) + 0.3 * rng.standard_normal((n, 10))
    return codes, factors


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def plain_mig(codes, factors):
    binned = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T]
    return [[mutual_info_score(v, c) for v in factors.T] for c in binned]


def plain_sap(codes, factors):
    for c in codes.T:
        for v in factors.T:
            LinearSVC(C=0.01, class_weight="balanced").fit(c[:, None], v).score(c[:, None], v)


def plain_factorvae(codes, factors, rng):
    """15,000 batches of 64 rows with a fixed factor value, one at a time."""
    spread = codes.var(axis=0)
    for _ in range(15_000):
        k = rng.integers(factors.shape[1])
        rows = np.flatnonzero(factors[:, k] == rng.choice(factors[:, k]))
        (codes[rng.choice(rows, 64)].var(axis=0) / spread).argmin()


def plain_betavae(codes, factors, rng):
    """15,000 batches of 64 pairs with a shared factor value, one at a time."""
    x, y = np.empty((15_000, codes.shape[1])), np.empty(15_000, int)
    rows_of = [{v: np.flatnonzero(f == v) for v in np.unique(f)} for f in factors.T]
    for i in range(len(x)):
        k = y[i] = rng.integers(factors.shape[1])
        first = rng.integers(len(codes), size=64)
        second = [rng.choice(rows_of[k][factors[r, k]]) for r in first]
        x[i] = np.abs(codes[first] - codes[second]).mean(axis=0)
    LogisticRegression(max_iter=1000).fit(x[:10_000], y[:10_000])


def plain_infomec(codes, factors):
    for v in factors.T:
        for c in codes.T:
            mutual_info_classif(c[:, None], v, n_neighbors=10, random_state=0)
        options = {"C": np.inf, "class_weight": "balanced", "max_iter": 100}
        for x in (codes, np.zeros_like(codes)):
            LogisticRegression(**options).fit(x, v)


def plain_dci(codes, factors, test):
    for k, v in enumerate(factors.T):
        GradientBoostingClassifier().fit(codes, v).score(test[0], test[1][:, k])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,000 points, nothing is written")
    options = parser.parse_args()
    n = 2_000 if options.quick else 10_000
    rng = np.random.default_rng(0)
    codes, factors = sample(n, rng)
    test = sample(n // 2, rng)
    logvars = np.full(codes.shape, -4.0)
    pairs = {
        "mig": (lambda: mig(codes, factors), lambda: plain_mig(codes, factors)),
        "sap": (lambda: sap(codes, factors, test=test), lambda: plain_sap(codes, factors)),
        "factorvae": (
            lambda: factorvae(codes, factors),
            lambda: plain_factorvae(codes, factors, rng),
        ),
        "betavae": (lambda: betavae(codes, factors), lambda: plain_betavae(codes, factors, rng)),
        "infomec": (lambda: infomec(codes, factors), lambda: plain_infomec(codes, factors)),
        "dci, fast": (
            lambda: dci(codes, factors, test=test),
            lambda: plain_dci(codes, factors, test),
        ),
    }
    results = {}
    with threadpool_limits(1):
        for name, (ours, plain) in pairs.items():
            a, b = seconds(ours), seconds(plain)
            results[name] = {"ours": round(a, 2), "plain": round(b, 2), "ratio": round(b / a, 1)}
            print(name, results[name], flush=True)
    exact = results["dci, fast"]["plain"]
    two = seconds(lambda: dci_gbt(codes, factors, test=test, n_jobs=2))
    results["dci[gbt], two processes"] = {
        "ours": round(two, 2),
        "plain": exact,
        "ratio": round(exact / two, 1),
    }
    suite = [
        seconds(partial(score, codes, factors, logvars=logvars, test=test, n_jobs=jobs))
        for jobs in (1, 2)
    ]
    total = sum(r["plain"] for r in list(results.values())[:-1])
    for jobs, ours in zip((1, 2), suite, strict=True):
        results[f"default suite, n_jobs={jobs}"] = {
            "ours": round(ours, 2),
            "plain, the six above": round(total, 2),
            "ratio": round(total / ours, 1),
        }
    print(json.dumps(results, indent=2))
    if options.quick:
        return
    about = {
        "date": date.today().isoformat(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "machine": platform.machine(),
        "points": n,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"about": about, "seconds": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
