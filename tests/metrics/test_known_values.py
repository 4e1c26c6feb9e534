"""Scores whose value follows from the code."""

import numpy as np
import pytest

from autobeta.metrics import dci, factorvae, irs, mig, modularity, rmig, sap
from autobeta.metrics._information import (
    counts,
    entropies,
    histogram_bins,
    information,
    mutual_information,
)
from autobeta.metrics.dci import concentration
from autobeta.metrics.factorvae import draw_without_replacement
from autobeta.metrics.modularity import from_information

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


@pytest.mark.parametrize("scale", [0.0, 1e-9, 0.01, 0.04])
def test_factorvae_leaves_out_a_latent_that_hardly_moves(scale, identity, grid):
    # it follows the first factor, so that it would win votes if it took part
    collapsed = scale * np.roll(identity[:, :1], 1, axis=0)
    assert factorvae(np.hstack([collapsed, identity]), grid) == 1


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


def test_importances_concentrate_as_the_entropy_formula_says():
    eye, stacked = np.eye(5), np.vstack([np.eye(5), np.eye(5)])
    shared = 1 - np.log(2) / np.log(10)
    empty_row = np.vstack([np.eye(5), np.zeros((1, 5))])
    cases = [(eye, 1, 1), (stacked, 1, shared), (stacked.T, shared, 1), (empty_row, 1, 1)]
    for matrix, disentanglement, completeness in cases:
        assert concentration(matrix) == pytest.approx(disentanglement)
        assert concentration(matrix.T) == pytest.approx(completeness)
    assert concentration(np.zeros((5, 3))) == 0
    assert concentration(np.ones((5, 3))) == pytest.approx(0)


def test_modularity_of_an_information_table():
    assert from_information(np.eye(10)) == 1
    assert from_information(np.diag([1.0, 1.0, 0.0])) == pytest.approx(2 / 3)
    # each latent tells of two of ten factors equally
    assert from_information(np.hstack([np.eye(5), np.eye(5)])) == pytest.approx(1 - 1 / 9)
    assert from_information(np.zeros((10, 10))) == 0


def test_information_of_small_tables():
    codes = np.array([[1.0, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1]])
    bins = histogram_bins(codes, 3)
    assert (bins.T == [[0, 0, 1, 1, 2, 2], [2, 2, 1, 1, 0, 0]]).all()
    assert entropies(bins) == pytest.approx([np.log(3)] * 2)
    ys = np.array([[1, 1], [1, 2], [2, 1], [2, 2]])
    assert mutual_information(ys, ys) == pytest.approx(np.log(2) * np.eye(2))
    assert counts(np.array([7, 7, -1]), np.array([0, 3, 3])).tolist() == [[0, 1], [1, 1]]
    assert information(np.outer([3, 5], [2, 7])) == 0


def test_draws_are_uniform_and_without_replacement():
    sizes = np.repeat([2, 5, 9], 20_000)
    drawn, valid = draw_without_replacement(sizes, 4, np.random.default_rng(0))
    assert (valid.sum(axis=1) == np.minimum(sizes, 4)).all()
    for size in (2, 5, 9):
        rows = drawn[sizes == size][:, : min(size, 4)]
        assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()
        share = rows.shape[1] / size
        error = np.sqrt(share * (1 - share) * 20_000)
        assert np.bincount(rows.ravel()) == pytest.approx(20_000 * share, abs=5 * error + 1e-9)


def test_dci_does_not_depend_on_the_number_of_threads(points):
    codes, factors = points
    one = dci(codes, factors, num_trees=5)
    assert dci(codes, factors, num_trees=5, n_jobs=2) == one


@pytest.mark.parametrize("metric", [sap, factorvae, dci])
def test_the_seed_fixes_the_score(metric, mixed):
    codes, factors = mixed
    assert metric(codes, factors, seed=1) == metric(codes, factors, seed=1)
    assert metric(codes, factors, seed=1) != metric(codes, factors, seed=2)
