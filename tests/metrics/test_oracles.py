"""Scores against a second way to compute them, and against disentanglement_lib."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from autobeta.metrics import dci, factorvae, irs, mig, modularity, rmig, sap

REFERENCE = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text("utf-8"))
FOLDER = os.environ.get("AUTOBETA_REFERENCE")


def information_table(codes, factors, bins=20):
    """Mutual information by scikit-learn, shape (num_latents, num_factors)."""
    binned = [np.digitize(c, np.histogram(c, bins)[1][:-1]) for c in codes.T]
    return np.array([[mutual_info_score(v, c) for v in factors.T] for c in binned])


@pytest.fixture(params=["points", "mixed"])
def case(request):
    return request.getfixturevalue(request.param)


def test_mig_agrees_with_scikit_learn(case):
    codes, factors = case
    table = np.sort(information_table(codes, factors), axis=0)
    entropy = [mutual_info_score(v, v) for v in factors.T]
    assert mig(codes, factors) == pytest.approx(np.mean((table[-1] - table[-2]) / entropy))


def test_modularity_agrees_with_scikit_learn(case):
    codes, factors = case
    values = []
    for row in information_table(codes, factors):
        best = row.argmax()
        others = sum(row[k] ** 2 for k in range(len(row)) if k != best)
        values.append(1 - others / (row[best] ** 2 * (len(row) - 1)))
    assert modularity(codes, factors) == pytest.approx(np.mean(values))


def test_sap_agrees_with_a_loop(case):
    codes, factors = case
    train, test = slice(0, 700), slice(700, None)
    gaps = []
    for v in factors.T:
        accuracies = []
        for c in codes.T:
            svm = LinearSVC(C=0.01, class_weight="balanced").fit(c[train, None], v[train])
            accuracies.append(np.mean(svm.predict(c[test, None]) == v[test]))
        accuracies.sort()
        gaps.append(accuracies[-1] - accuracies[-2])
    value = sap(codes[train], factors[train], test=(codes[test], factors[test]))
    assert value == pytest.approx(np.mean(gaps))


def test_factorvae_agrees_with_a_loop(case):
    codes, factors = case
    rng = np.random.default_rng(11)
    votes = np.zeros((2, codes.shape[1], factors.shape[1]))
    for part, number in enumerate((3000, 3000)):
        for _ in range(number):
            k = rng.integers(factors.shape[1])
            rows = np.flatnonzero(factors[:, k] == rng.choice(factors[:, k]))
            rows = rng.choice(rows, size=min(64, len(rows)), replace=False)
            ratio = codes[rows].var(axis=0, ddof=1) / codes.var(axis=0, ddof=1)
            votes[part, ratio.argmin(), k] += 1
    majority = votes[0].argmax(axis=1)
    expected = sum(votes[1, i, k] for i, k in enumerate(majority)) / 3000
    error = np.sqrt(max(expected * (1 - expected), 1e-3) * (1 / 3000 + 1 / 5000))
    assert factorvae(codes, factors) == pytest.approx(expected, abs=5 * error)


def test_irs_agrees_with_a_loop(case):
    codes, factors = case
    scores, weights = [], []
    for c in codes.T.astype(np.float64):
        largest = np.max(np.abs(c - c.mean()))
        per_factor = []
        for v in factors.T:
            groups = [c[v == value] for value in set(v.tolist())]
            spread = [np.quantile(np.abs(g - g.mean()), 0.99) for g in groups]
            per_factor.append(1 - np.mean(spread) / largest)
        scores.append(max(per_factor))
        weights.append(largest)
    assert irs(codes, factors) == pytest.approx(np.average(scores, weights=weights))


def test_rmig_agrees_with_densities_of_scipy(case):
    codes, factors = (part[:200] for part in case)
    logvars = np.random.default_rng(5).uniform(-4, 0, size=codes.shape)
    edges = np.linspace(-4, 4, 101)
    centres = (edges[1:] + edges[:-1]) / 2
    total = []
    for v in factors.T:
        gains = []
        for mean, logvar in zip(codes.T, logvars.T, strict=True):
            density = norm.pdf(centres, mean[:, None], np.exp(logvar / 2)[:, None])
            density /= density.sum(axis=1, keepdims=True)
            parts = [density[v == value].sum(axis=0) / len(v) for value in np.unique(v)]
            conditional = sum(p.sum() * norm_entropy(p) for p in parts)
            gains.append(norm_entropy(density.mean(axis=0)) - conditional)
        gains.sort()
        total.append((gains[-1] - gains[-2]) / mutual_info_score(v, v))
    assert rmig(codes, factors, logvars=logvars) == pytest.approx(np.mean(total))


def norm_entropy(weight):
    """Entropy of weights brought to sum to one, in nats."""
    p = weight[weight > 0] / weight.sum()
    return -np.sum(p * np.log(p))


@pytest.mark.slow
@pytest.mark.skipif(FOLDER is None, reason="AUTOBETA_REFERENCE is not set")
@pytest.mark.parametrize("name", ["good", "vae"])
def test_scores_equal_those_of_disentanglement_lib(name):
    with np.load(Path(FOLDER or "") / f"metrics_{name}.npz") as file:
        codes, factors = file["codes"], file["factors"]
        test = file["codes_test"], file["factors_test"]
    expected = REFERENCE[name]
    assert mig(codes, factors) == pytest.approx(expected["mig"], abs=1e-6)
    assert modularity(codes, factors) == pytest.approx(expected["modularity"], abs=1e-6)
    assert irs(codes, factors) == pytest.approx(expected["irs"], abs=1e-6)
    assert sap(codes, factors, test=test) == pytest.approx(expected["sap"], abs=0.02)
    # another predictor: near, not equal
    assert dci(codes, factors, test=test)._asdict() == pytest.approx(expected["dci"], abs=0.06)
