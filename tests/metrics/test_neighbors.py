"""Information from nearest neighbours against scikit-learn's estimate and against a plain one."""

import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif

from autobeta.metrics._information import _reach, _ross, _within, neighbor_information


def sample(n, sizes, seed=0):
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.permutation(np.arange(n) % size) for size in sizes], axis=1)
    codes = 0.4 * factors[:, :1] / sizes[0] + rng.normal(size=(n, 4))
    codes[:, 1] = codes[:, 1].round(1)  # many ties
    codes[:, 2] = factors[:, -1]
    codes[:, 3] = 0.0
    return codes, factors


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_of_scikit_learn_where_values_have_points_enough(seed):
    codes, factors = sample(1500, (2, 5, 30), seed)  # 50 points a value, 10 neighbours
    found = neighbor_information(codes, factors, 10, np.random.RandomState(seed))
    options = {"discrete_features": False, "n_neighbors": 10, "random_state": seed}
    expected = np.stack([mutual_info_classif(codes, v, **options) for v in factors.T], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def plain(c, v, neighbors):
    """Ross's formula, point by point."""
    used = [i for i in range(len(c)) if (v == v[i]).sum() > 1]
    terms = []
    for i in used:
        alike = [j for j in used if v[j] == v[i] and j != i]
        k = min(neighbors, len(alike))
        radius = sorted(abs(c[j] - c[i]) for j in alike)[k - 1]
        within = sum(abs(c[j] - c[i]) < radius for j in used if j != i) + 1
        terms.append(digamma(k) - digamma(len(alike) + 1) - digamma(within))
    return max(0.0, digamma(len(used)) + np.mean(terms)) if used else 0.0


@pytest.mark.parametrize("neighbors", [1, 3, 10, 100])
@pytest.mark.parametrize("values", [1, 2, 7, 60])
def test_few_points_of_a_value_are_exact(neighbors, values):
    rng = np.random.default_rng(values)
    c, v = rng.normal(size=80), rng.integers(values, size=80)
    assert _ross(c, v, neighbors) == pytest.approx(plain(c, v, neighbors), abs=1e-12)


def test_values_that_occur_once_have_no_information():
    assert _ross(np.arange(5.0), np.arange(5), 3) == 0.0


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_ends_are_found_whatever_the_sums_round_to(scale):
    points = np.sort(np.random.default_rng(0).normal(size=400)) * scale + scale
    radius = np.nextafter(_reach(points, 5), 0)
    expected = (np.abs(points[:, None] - points) <= radius[:, None]).sum(axis=1)
    assert (_within(points, radius) == expected).all()
    assert (_within(points, np.zeros(400)) == 1).all()
    assert (_within(np.zeros(7), np.zeros(7)) == 7).all()
