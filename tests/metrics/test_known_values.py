"""Scores whose value follows from the code."""

import numpy as np
import pytest

from autobeta.metrics import dci, factorvae, irs, mig, modularity, rmig, sap
from autobeta.registry import load

NARROW = -20.0  # log-variance of a posterior far narrower than a bin


def sharp(codes, factors, **options):
    return rmig(codes, factors, logvars=np.full(np.shape(codes), NARROW), **options)


@pytest.mark.parametrize("metric", [mig, modularity, factorvae, irs, sharp])
def test_a_perfect_code_scores_one(metric, identity, grid):
    assert metric(identity, grid) == pytest.approx(1, abs=1e-12)


def test_a_perfect_code_has_all_importance_on_its_factor(identity, grid):
    for codes in (identity, np.insert(identity, 1, 7.0, axis=1)):
        assert dci(codes, grid, test=(codes, grid)) == pytest.approx((1, 1, 1))


def test_a_duplicated_code_halves_each_importance(identity, grid):
    codes = np.hstack([identity, identity])
    scores = dci(codes, grid, test=(codes, grid))
    assert scores.disentanglement == pytest.approx(1)
    # two of six latents share each factor; which of the two a tree takes is chance
    assert scores.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.03)


def test_sap_of_binary_factors_is_one_less_a_guess():
    v = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (50, 1))
    assert sap(2.0 * v - 1, v, test=(2.0 * v - 1, v)) == 1 - 1 / 2


@pytest.mark.parametrize("metric", [mig, sap, factorvae, irs, sharp])
def test_a_constant_latent_changes_nothing(metric, mixed):
    codes, factors = mixed
    for column in (0, 10):
        more = np.insert(codes, column, 0.5, axis=1)
        assert metric(more, factors) == pytest.approx(metric(codes, factors), abs=1e-12)


@pytest.mark.parametrize("metric", [mig, factorvae, irs, sharp])
def test_a_perfect_code_with_a_constant_latent_scores_one(metric, identity, grid):
    codes = np.insert(identity, 0, 7.0, axis=1)
    assert metric(codes, grid) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("std", [0.0, 1e-9, 0.01, 0.049])
def test_factorvae_leaves_out_a_latent_that_hardly_moves(std, identity, grid):
    # one spike: nearly all batches find it at rest, and it would win their votes
    spike = np.zeros((len(grid), 1))
    spike[17] = std * len(grid) / np.sqrt(len(grid) - 1)
    assert spike.std() == pytest.approx(std)
    noise = 0.01 * np.random.default_rng(0).normal(size=identity.shape)
    codes = np.hstack([spike, identity + noise])
    assert factorvae(codes, grid) == 1
    if std > 0:
        assert factorvae(codes, grid, dead_fraction=0.0) < 0.5


def test_a_constant_latent_counts_as_zero_modularity(identity, grid):
    assert modularity(np.insert(identity, 0, 7.0, axis=1), grid) == pytest.approx(3 / 4)


@pytest.mark.parametrize("metric", [mig, sap, modularity, factorvae, irs, sharp])
def test_a_collapsed_code_scores_zero(metric, grid):
    assert metric(np.full((len(grid), 4), 0.1, dtype=np.float32), grid) == 0


def test_a_collapsed_code_has_no_importance_and_guesses(grid):
    codes = np.zeros((len(grid), 2))
    scores = dci(codes, grid, test=(codes, grid))
    assert scores[:2] == (0, 0)
    # bootstrap samples tip the majority, but each guess names one value of equal shares
    assert scores.informativeness == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3)


@pytest.mark.parametrize("metric", [mig, sap, sharp])
def test_a_duplicated_code_has_no_gap(metric, identity, grid):
    assert metric(np.hstack([identity, identity]), grid) == 0


def test_with_one_latent_the_second_best_is_zero(identity, grid):
    one = identity[:, :1]
    assert mig(one, grid[:, :1]) == pytest.approx(1)
    assert sharp(one, grid[:, :1]) == pytest.approx(1)
    assert factorvae(one, grid) == pytest.approx(1 / 3, abs=5 * np.sqrt(2 / 9 / 5000))
    assert dci(one, grid, test=(one, grid)).completeness == 1
    assert modularity(one, grid) == pytest.approx(1)
    assert sap(np.insert(one, 1, 7.0, axis=1), grid) == sap(one, grid) > 0


def test_noise_has_the_modularity_of_its_estimation_error():
    rng = np.random.default_rng(0)
    sizes = np.array([3, 6])
    factors = rng.integers(sizes, size=(10_000, 2))
    codes = rng.uniform(size=(10_000, 40))
    # 2 N I is chi-squared with (bins - 1)(V - 1) degrees of freedom
    degrees = 19.0 * (sizes - 1)
    chi = rng.chisquare(degrees, size=(200_000, 2)) ** 2
    samples = 1 - chi.min(axis=1) / chi.max(axis=1)
    error = samples.std() / np.sqrt(40)
    assert modularity(codes, factors) == pytest.approx(samples.mean(), abs=5 * error)
    assert mig(codes, factors) < 0.01


def test_noise_gives_factorvae_its_chance():
    rng = np.random.default_rng(0)
    factors = rng.integers(3, size=(5000, 4))
    value = factorvae(rng.normal(size=(5000, 6)), factors)
    assert 0.25 - 5 * np.sqrt(3 / 16 / 5000) < value < 0.35


def test_a_posterior_as_wide_as_the_prior_has_no_information(grid):
    codes = np.zeros((len(grid), 3))
    assert rmig(codes, grid, logvars=np.zeros(codes.shape)) == pytest.approx(0, abs=1e-12)


def test_rmig_falls_as_the_posterior_widens(identity, grid):
    logvars = [np.full(identity.shape, np.log(v)) for v in (0.01, 0.1, 0.3, 1.0)]
    values = [rmig(identity, grid, logvars=v) for v in logvars]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.99 > 0.6 > values[-1]


def test_irs_is_not_negative_where_values_spread_more_than_the_whole():
    # within a value the point that stands alone is 4/3 from the mean, overall all are 1 from it
    codes = np.array([[-1.0], [-1], [1], [1], [1], [-1]])
    assert irs(codes, np.array([[0], [0], [0], [1], [1], [1]]), quantile=1.0) == 0


def test_rmig_does_not_depend_on_how_points_are_divided(mixed, monkeypatch):
    codes, factors = mixed
    whole = sharp(codes, factors)
    monkeypatch.setattr(load("metrics", "rmig"), "_CHUNK", 300)
    assert sharp(codes, factors) == pytest.approx(whole, abs=1e-12)


def test_dci_does_not_depend_on_the_number_of_threads(points):
    codes, factors = points
    one = dci(codes, factors, num_trees=5)
    assert dci(codes, factors, num_trees=5, n_jobs=2) == one


@pytest.mark.parametrize("metric", [sap, factorvae, dci])
def test_the_seed_fixes_the_score(metric, mixed):
    codes, factors = mixed
    assert metric(codes, factors, seed=1) == metric(codes, factors, seed=1)
    assert metric(codes, factors, seed=1) != metric(codes, factors, seed=2)
