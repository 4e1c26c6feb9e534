"""The invariances that each score has, in one table.

A number is the largest difference allowed: 1e-9 where the law is exact up to rounding; larger
where a solver stops early (sap), or where a seeded draw falls on other points (factorvae, dci),
five standard errors of the difference. Where no number stands, the law does not hold.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autobeta.metrics import dci, factorvae, irs, mig, modularity, rmig, sap

EXACT = 1e-9
VOTES = 5 * np.sqrt(2 * 0.25 / 2000)
FOREST = 0.05


def make(seed, num_points=400):
    """Two noisy mixtures of two factors and a noise latent, on no grid of bins."""
    rng = np.random.default_rng(seed)
    factors = rng.integers([3, 4], size=(num_points, 2))
    signal = factors @ rng.normal(size=(2, 2)) + 0.5 * rng.normal(size=(num_points, 2))
    codes = np.column_stack([signal, rng.normal(size=num_points)])
    return codes / codes.std(axis=0).max(), factors, rng


def permute_points(codes, factors, rng):
    order = rng.permutation(len(codes))
    return codes[order], factors[order]


def permute_latents(codes, factors, rng):
    return codes[:, rng.permutation(codes.shape[1])], factors


def permute_factors(codes, factors, rng):
    return codes, factors[:, ::-1].copy()


def flip_signs(codes, factors, rng):
    return codes * np.where(rng.random(codes.shape[1]) < 0.5, -1, 1), factors


def rename_values(codes, factors, rng):
    return codes, np.stack([rng.permutation(50)[v] - 7 for v in factors.T], axis=1)


def scale_all(codes, factors, rng):
    return 8.0 * codes, factors


def scale_each(codes, factors, rng):
    # powers of two leave no rounding; below the ratio at which a latent counts as dead
    return codes * 2.0 ** rng.integers(-1, 2, size=codes.shape[1]), factors


def shift(codes, factors, rng):
    return codes + 0.25, factors


def halves(metric):
    """A metric that fits on the first half of the points and is tested on the second."""

    def value(codes, factors):
        n = len(codes) // 2
        return metric(codes[:n], factors[:n], test=(codes[n:], factors[n:]))

    return value


METRICS = {
    "mig": lambda c, f: mig(c, f, bins=10),
    "modularity": lambda c, f: modularity(c, f, bins=10),
    "irs": irs,
    "rmig": lambda c, f: rmig(c, f, logvars=np.full(c.shape, -3.0)),
    "factorvae": lambda c, f: factorvae(c, f, num_train=2000, num_eval=2000),
    "sap": halves(sap),
    "dci": halves(lambda c, f, test: dci(c, f, test=test, num_trees=20)[0]),
}

LAWS = {
    "mig": {
        permute_points: EXACT,
        permute_latents: EXACT,
        permute_factors: EXACT,
        flip_signs: EXACT,
        rename_values: EXACT,
        scale_each: EXACT,
    },
    "irs": {
        permute_points: EXACT,
        permute_latents: EXACT,
        permute_factors: EXACT,
        flip_signs: EXACT,
        rename_values: EXACT,
        scale_all: EXACT,
        shift: EXACT,
    },
    "rmig": {
        permute_points: EXACT,
        permute_latents: EXACT,
        permute_factors: EXACT,
        flip_signs: EXACT,
        rename_values: EXACT,
    },
    "factorvae": {
        permute_points: VOTES,
        permute_latents: EXACT,
        permute_factors: VOTES,
        flip_signs: EXACT,
        rename_values: VOTES,
        scale_each: EXACT,
        shift: EXACT,
    },
    "sap": {
        permute_latents: EXACT,
        permute_factors: EXACT,
        flip_signs: 0.01,
        rename_values: 0.01,
    },
    "dci": {
        permute_latents: FOREST,
        permute_factors: EXACT,
        flip_signs: FOREST,
        rename_values: EXACT,
        scale_each: EXACT,
    },
}
LAWS["modularity"] = LAWS["mig"]
FAST = [(name, law) for name in LAWS if name not in ("sap", "dci") for law in LAWS[name]]
SLOW = [(name, law) for name in ("sap", "dci") for law in LAWS[name]]


def holds(name, law, seed):
    codes, factors, rng = make(seed)
    before, after = METRICS[name](codes, factors), METRICS[name](*law(codes, factors, rng))
    assert after == pytest.approx(before, abs=LAWS[name][law])


@pytest.mark.parametrize(("name", "law"), FAST, ids=lambda p: getattr(p, "__name__", p))
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_a_law_holds(name, law, seed):
    holds(name, law, seed)


@pytest.mark.parametrize(("name", "law"), SLOW, ids=lambda p: getattr(p, "__name__", p))
def test_a_law_of_a_fitted_score_holds(name, law):
    for seed in range(2):
        holds(name, law, seed)


@pytest.mark.parametrize("name", METRICS)
def test_a_score_lies_within_its_range(name):
    for seed in range(3):
        codes, factors, _ = make(seed, num_points=130)
        assert 0 <= METRICS[name](codes, factors) <= 1


def test_sap_depends_on_the_scale_of_the_codes(points):
    codes, factors = points
    assert sap(codes, factors) != pytest.approx(sap(0.05 * codes, factors), abs=0.02)
