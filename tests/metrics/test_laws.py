"""The laws that each score says it keeps: what may be done to codes and factors.

Each metric's file lists its laws, and the tolerance within which a solver that stops early, or a
draw that falls on other points, keeps them. A score that stands without either is exact up to
rounding. What is not listed need not hold.
"""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autobeta.metrics
from autobeta.registry import available, load

EXACT = 1e-9
LOOSEST = 0.1


def make(seed, num_points=400):
    """Two noisy mixtures of two factors and a noise latent, on no grid of bins."""
    rng = np.random.default_rng(seed)
    factors = rng.integers([3, 4], size=(num_points, 2))
    signal = factors @ rng.normal(size=(2, 2)) + 0.5 * rng.normal(size=(num_points, 2))
    codes = np.column_stack([signal, rng.normal(size=num_points)])
    return codes / codes.std(axis=0).max(), factors, rng


def points(codes, factors, rng):
    """Another order of the points that a metric fits, and of those that it is tested on."""
    half = len(codes) // 2
    order = np.concatenate([rng.permutation(half), half + rng.permutation(half)])
    return codes[order], factors[order]


def latents(codes, factors, rng):
    return codes[:, rng.permutation(codes.shape[1])], factors


def factors(codes, factors, rng):
    return codes, factors[:, ::-1].copy()


def signs(codes, factors, rng):
    return codes * np.where(rng.random(codes.shape[1]) < 0.5, -1, 1), factors


def values(codes, factors, rng):
    return codes, np.stack([rng.permutation(50)[v] * 2**57 - 7 for v in factors.T], axis=1)


def scale(codes, factors, rng):
    return 8.0 * codes, factors


def scales(codes, factors, rng):
    # powers of two leave no rounding
    return codes * 2.0 ** rng.integers(-30, 31, size=codes.shape[1]), factors


def shift(codes, factors, rng):
    return codes + 0.25, factors


def bend(codes, factors, rng):
    return np.sign(codes) * np.abs(codes) ** 1.5, factors


def rotation(codes, factors, rng):
    return codes @ np.linalg.qr(rng.normal(size=(codes.shape[1],) * 2))[0], factors


LAWS = {
    law.__name__: law
    for law in (points, latents, factors, signs, values, scale, scales, shift, bend, rotation)
}


def functions():
    """The functions of each metric, with the laws that each keeps and its tolerance."""
    for name in available("metrics"):
        module = load("metrics", name)
        kept = getattr(module, "LAWS", ())
        for function, laws in (kept if isinstance(kept, dict) else {name: kept}).items():
            yield getattr(module, function), laws, getattr(module, "TOLERANCE", EXACT)


def numbers(value):
    """The numbers of a score."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, tuple) else [value]


def score(function, codes, factors):
    """Parts of a score, tested on the second half of the points where it fits."""
    taken = inspect.signature(function).parameters
    options = {"num_labels": (200,)} if "num_labels" in taken else {}
    if "logvars" in taken and taken["logvars"].default is inspect.Parameter.empty:
        options["logvars"] = np.full(codes.shape, -3.0)
    if "test" in taken:
        half = len(codes) // 2
        options["test"] = codes[half:], factors[half:]
        codes, factors = codes[:half], factors[:half]
    return numbers(function(codes, factors, **options))


def moved(function, law, seed):
    """How far a law moves the score of a sample."""
    codes, factors, rng = make(seed)
    if function.__name__ == "infomec_discrete":  # it takes codes of few values
        codes = np.round(2 * codes / codes.std(axis=0))
    changed = LAWS[law](codes, factors, rng)
    return np.max(np.abs(np.subtract(score(function, codes, factors), score(function, *changed))))


FITTED = ("sap", "dci_", "dci ", "explicitness", "probes", "infomec", "factorvae", "betavae")
PAIRS = [
    pytest.param(
        *(f, law, tolerance),
        id=f"{f.__name__} {law}",
        marks=pytest.mark.slow if f.__name__ == "dci_gbt" and law != "points" else (),
    )
    for f, laws, tolerance in functions()
    for law in laws
]
FAST = [pair for pair in PAIRS if not pair.id.startswith(FITTED)]
SLOW = [pair for pair in PAIRS if pair.id.startswith(FITTED)]


@pytest.mark.parametrize("name", available("metrics"))
def test_every_metric_lists_the_laws_of_each_of_its_functions(name):
    module = load("metrics", name)
    laws = module.LAWS if isinstance(module.LAWS, dict) else {name: module.LAWS}
    assert set(laws) == {name, *getattr(module, "VARIANTS", {}).values()}
    for kept in laws.values():
        assert len(kept) > 2
        assert set(kept) <= set(LAWS)
    assert 0 < getattr(module, "TOLERANCE", EXACT) <= LOOSEST


@pytest.mark.parametrize(("function", "law", "tolerance"), FAST)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_a_law_holds(function, law, tolerance, seed):
    assert moved(function, law, seed) <= tolerance


@pytest.mark.parametrize(("function", "law", "tolerance"), SLOW)
def test_a_law_of_a_slower_score_holds(function, law, tolerance):
    assert moved(function, law, seed=0) <= tolerance


@pytest.mark.parametrize(
    ("name", "law"),
    [
        *[("mig", "rotation"), ("mig", "bend"), ("dci", "rotation"), ("mcc", "bend")],
        *[("rmig", "shift"), ("rmig", "scale"), ("sap", "scale"), ("irs", "scales")],
        *[("infomec", "scales"), ("gaussian_wasserstein", "scales"), ("mcc", "values")],
    ],
)
def test_a_law_that_does_not_hold_is_found_out(name, law):
    ((function, kept, tolerance), *_) = [f for f in functions() if f[0].__name__ == name]
    assert law not in kept
    assert max(moved(function, law, seed) for seed in range(3)) > tolerance


@pytest.mark.parametrize(
    ("function", "laws"), [pytest.param(f, laws, id=f.__name__) for f, laws, _ in functions()]
)
def test_a_score_lies_within_its_range(function, laws):
    low, high = load("metrics", function.__module__.rpartition(".")[2]).RANGE
    codes, factors, _ = make(0)
    if function.__name__ == "infomec_discrete":
        codes = np.round(codes)
    assert all(low <= number <= high for number in score(function, codes, factors))


def test_a_rotation_changes_what_axes_matter_to(identity, grid):
    rotated, _ = rotation(identity, grid, np.random.default_rng(0))
    for name in ("mig", "dcimig", "jemmig", "modularity", "irs", "dci", "mcc"):
        metric = getattr(autobeta.metrics, name)
        assert numbers(metric(rotated, grid))[0] < numbers(metric(identity, grid))[0] - 0.02, name
