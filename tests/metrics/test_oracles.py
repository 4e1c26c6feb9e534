"""Scores against a second way to compute them, and against disentanglement_lib."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score
from sklearn.svm import LinearSVC

from autobeta.metrics import (
    betavae,
    chenmig,
    dci,
    dci_gbt,
    dcimig,
    explicitness,
    factorvae,
    gaussian_total_correlation,
    gaussian_wasserstein,
    infomec,
    infomec_discrete,
    irs,
    jemmig,
    mcc,
    mig,
    modularity,
    rmig,
    sap,
)

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
        for c in codes.T - codes[train].mean(axis=0, dtype=np.float64)[:, None]:
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


def test_chenmig_agrees_with_a_loop_over_densities(case):
    codes, factors = (part[:300] for part in case)
    logvars = np.random.default_rng(5).uniform(-4, -1, size=codes.shape)
    rng = np.random.default_rng(0)
    order = rng.choice(300, size=300, replace=False)
    noise = rng.standard_normal(codes.shape[::-1]).T
    total = []
    for v in factors.T:
        gains = []
        for d in range(codes.shape[1]):
            std = np.exp(logvars[:, d] / 2)
            z = codes[order, d] + std[order] * noise[:, d]
            density = norm.pdf(z[:, None], codes[:, d], std)
            same = v[order, None] == v
            within = (density * same).sum(axis=1) / same.sum(axis=1)
            gains.append(max(0, np.mean(np.log(within / density.mean(axis=1)))))
        gains.sort()
        total.append((gains[-1] - gains[-2]) / mutual_info_score(v, v))
    found = chenmig(codes.astype(np.float64), factors, logvars=logvars)
    assert found == pytest.approx(np.mean(total))


@pytest.mark.whole
def test_betavae_agrees_with_a_loop(case):
    codes, factors = case
    rng = np.random.default_rng(11)
    parts = []
    for number in (2000, 2000):
        shared = rng.integers(factors.shape[1], size=number)
        rows = np.empty((number, codes.shape[1]))
        for i, k in enumerate(shared):
            first = rng.integers(len(codes), size=32)
            second = [
                rng.choice(
                    np.flatnonzero((factors[:, k] == factors[r, k]) & (np.arange(len(codes)) != r))
                )
                for r in first
            ]
            rows[i] = np.abs(codes[first] - codes[second]).mean(axis=0)
        parts.append((rows, shared))
    (train, train_k), (test, test_k) = parts
    centre, spread = train.mean(axis=0), train.std(axis=0)
    model = LogisticRegression(max_iter=1000).fit((train - centre) / spread, train_k)
    expected = model.score((test - centre) / spread, test_k)
    found = betavae(codes, factors, num_train=2000, num_eval=2000, batch_size=32)
    error = np.sqrt(max(expected * (1 - expected), 1e-3) * 4 / 2000)
    assert found == pytest.approx(expected, abs=5 * error)


def test_discrete_infomec_agrees_with_a_loop(case):
    codes, factors = np.round(2 * case[0]), case[1]
    binned = [np.unique(c, return_inverse=True)[1] for c in codes.T]
    active = [c for c in binned if c.max() > 0]
    table = np.array(
        [[mutual_info_score(v, c) / mutual_info_score(v, v) for v in factors.T] for c in active]
    )
    gains = []
    one_hot = np.hstack([np.eye(c.max() + 1)[c] for c in binned])
    for v in factors.T:
        options = {"C": np.inf, "class_weight": "balanced"}
        losses = []
        for x in (one_hot, np.zeros_like(one_hot)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = LogisticRegression(**options).fit(x, v)
            losses.append(log_loss(v, model.predict_proba(x)))
        gains.append(1 - losses[0] / losses[1])
    ratios = [
        (np.mean(t.max(axis=1) / t.sum(axis=1)) - 1 / t.shape[1]) / (1 - 1 / t.shape[1])
        for t in (table, table.T)
    ]
    found = infomec_discrete(codes, factors)
    assert found[:2] == pytest.approx(ratios)
    assert found.explicitness == pytest.approx(np.mean(gains), abs=0.01)
    assert infomec_discrete(codes, factors, seed=1) == found
    with pytest.raises(ValueError, match=r"`codes` must have few values .* in 10 latents\. Ask"):
        infomec_discrete(case[0], factors)


def test_mcc_agrees_with_a_search_over_matchings(case):
    codes, factors = case
    table = np.abs(np.corrcoef(codes.T, factors.T)[:-2, -2:])
    pairs = [(i, j) for i in range(10) for j in range(10) if i != j]
    best = max(table[i, 0] + table[j, 1] for i, j in pairs)
    assert mcc(codes, factors) == pytest.approx(best / 2)


def norm_entropy(weight):
    """Entropy of weights brought to sum to one, in nats."""
    p = weight[weight > 0] / weight.sum()
    return -np.sum(p * np.log(p))


def agree_with_peers(expected, codes, factors):
    """Compare with values of disentanglement_lib and InfoMEC's authors, where these are known."""
    for metric in (mig, modularity, irs, gaussian_total_correlation):
        assert metric(codes, factors) == pytest.approx(expected[metric.__name__], abs=1e-6)
    distance = gaussian_wasserstein(codes).distance
    assert distance == pytest.approx(expected["gaussian_wasserstein"], abs=1e-6)
    found = infomec(codes, factors)._asdict()
    for part, value in expected["infomec"].items():
        assert found[part] == pytest.approx(value, abs=0.02), part


@pytest.mark.parametrize("name", ["points", "mixed"])
def test_scores_equal_those_of_peers(name, request):
    codes, factors = request.getfixturevalue(name)
    expected = REFERENCE[name]
    agree_with_peers(expected, codes, factors)
    assert jemmig(codes, factors) == pytest.approx(expected["jemmig"], abs=1e-6)
    assert dcimig(codes, factors) == pytest.approx(expected["dcimig"], abs=1e-6)
    train, test = (codes[:700], factors[:700]), (codes[700:], factors[700:])
    assert sap(*train, test=test) == pytest.approx(expected["sap"], abs=0.02)
    assert explicitness(*train, test=test) == pytest.approx(expected["explicitness"], abs=1e-6)
    boosted = dci_gbt(*train, test=test)._asdict()
    assert boosted == pytest.approx(expected["dci_gbt"], abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif(FOLDER is None, reason="AUTOBETA_REFERENCE is not set")
@pytest.mark.parametrize("name", ["good", "vae"])
def test_scores_equal_those_of_peers_on_ten_thousand_points(name):
    with np.load(Path(FOLDER or "") / f"metrics_{name}.npz") as file:
        codes, factors = file["codes"], file["factors"]
        test = file["codes_test"], file["factors_test"]
    expected = REFERENCE[name]
    agree_with_peers(expected, codes, factors)
    assert sap(codes, factors, test=test) == pytest.approx(expected["sap"], abs=0.02)
    found = explicitness(codes, factors, test=test)
    assert found == pytest.approx(expected["explicitness"], abs=0.002)
    # another predictor: near, not equal
    assert dci(codes, factors, test=test)._asdict() == pytest.approx(expected["dci"], abs=0.05)
    boosted = dci_gbt(codes, factors, test=test, n_jobs=-1)._asdict()
    assert boosted == pytest.approx(expected["dci"], abs=0.01)
