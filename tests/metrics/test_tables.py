"""The tables behind the scores: information, importance, draws."""

import numpy as np
import pytest

from autobeta.metrics._groups import draw_without_replacement
from autobeta.metrics._information import (
    counts,
    entropies,
    histogram_bins,
    information,
    mutual_information,
)
from autobeta.metrics.dci import concentration
from autobeta.metrics.modularity import from_information


def test_importances_concentrate_as_the_entropy_formula_says():
    eye, stacked = np.eye(5), np.vstack([np.eye(5), np.eye(5)])
    shared = 1 - np.log(2) / np.log(10)
    empty_row = np.vstack([np.eye(5), np.zeros((1, 5))])
    cases = [(eye, 1, 1), (stacked, 1, shared), (stacked.T, shared, 1), (empty_row, 1, 1)]
    for matrix, disentanglement, completeness in cases:
        assert concentration(matrix) == pytest.approx(disentanglement)
        assert concentration(matrix.T) == pytest.approx(completeness)
    # a row of three parts of one column, and one part spread evenly over two
    weighted = np.array([[3.0, 0.0], [0.5, 0.5]])
    assert concentration(weighted) == pytest.approx(3 / 4 * 1 + 1 / 4 * 0)
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
