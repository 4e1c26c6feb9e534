"""Mean ranks, and any run of one method against any of another."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import norm

from autobeta.study.statistics import (
    Improvement,
    MeanRank,
    probability_of_improvement,
    ranks,
)

NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=8)


def seeds(*values):
    return dict(enumerate(values))


def test_ranks_are_averaged_over_keys_and_over_ties():
    scores = {"a": {"x": 3.0, "y": 1.0}, "b": {"x": 2.0, "y": 1.0}, "c": {"x": 1.0, "y": 0.0}}
    found = ranks(scores, higher_is_better=True)
    assert {k: v.mean for k, v in found.by_method.items()} == {"a": 1.25, "b": 1.75, "c": 3.0}
    assert found.n == 2
    assert list(found.by_method) == ["a", "b", "c"]


def test_each_key_may_have_its_own_direction():
    scores = {"a": {"mig": 0.9, "mse": 0.1}, "b": {"mig": 0.5, "mse": 0.2}}
    found = ranks(scores, {"mig": True, "mse": False})
    assert found.by_method["a"] == MeanRank(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"`higher_is_better` must have every key.*'mse'"):
        ranks(scores, {"mig": True})


def test_only_keys_that_every_method_has_are_ranked():
    scores = {"a": {"x": 3.0, "y": 1.0, "z": 1.0}, "b": {"x": 2.0, "y": None}}
    found = ranks(scores, higher_is_better=True)
    assert (found.n, found.missing) == (1, 2)
    assert found.by_method["b"] == MeanRank(2.0, None, None)
    assert ranks({"a": {"x": 1.0}, "b": {}}, higher_is_better=True) == ({}, 0, 1)
    assert ranks({}, higher_is_better=True) == ({}, 0, 0)


@given(table=st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_mean_ranks_sum_to_those_of_all_places(table):
    scores = {f"m{i}": seeds(*(row[i] for row in table)) for i in range(3)}
    found = ranks(scores, higher_is_better=False).by_method.values()
    assert sum(rank.mean for rank in found) == pytest.approx(6)


@pytest.mark.parametrize("shuffled", ["keys", "methods"])
def test_order_does_not_matter_to_ranks(shuffled):
    rng = np.random.default_rng(0)
    for _ in range(20):  # few tables have an end so near to a step that its draws matter
        table = rng.normal(size=(4, 15))
        scores = {f"m{i}": seeds(*row) for i, row in enumerate(table.tolist())}
        if shuffled == "keys":
            keys = rng.permutation(15).tolist()
            mixed = {name: seeds(*(row[key] for key in keys)) for name, row in scores.items()}
        else:
            mixed = dict(sorted(scores.items(), reverse=True))
        assert ranks(mixed, higher_is_better=True) == ranks(scores, higher_is_better=True)


def test_interval_of_ranks_is_over_resampled_keys():
    """Against all 3^3 resamples of three keys, each with its whole ranking."""
    scores = {"a": seeds(1, 2, 3), "b": seeds(2, 3, 1), "c": seeds(3, 1, 2)}
    by_key = np.array([[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    means = [by_key[list(rows)].mean(axis=0) for rows in itertools.product(range(3), repeat=3)]
    low, high = np.percentile(means, [2.5, 97.5], axis=0, method="inverted_cdf")
    found = ranks(scores, higher_is_better=False).by_method
    assert [v.low for v in found.values()] == pytest.approx(low)
    assert [v.high for v in found.values()] == pytest.approx(high)


@given(a=NUMBERS, b=NUMBERS)
def test_probability_of_improvement_is_the_mann_whitney_u_over_all_pairs(a, b):
    found = probability_of_improvement(a, b, higher_is_better=True)
    u = stats.mannwhitneyu(a, b, method="asymptotic").statistic if len({*a, *b}) > 1 else None
    expected = 0.5 if u is None else u / (len(a) * len(b))
    assert found.probability == pytest.approx(expected)
    assert found.low <= found.probability + 1e-9
    assert found.probability <= found.high + 1e-9


@given(a=NUMBERS, b=NUMBERS)
def test_improvement_either_way_is_certain(a, b):
    found = probability_of_improvement(a, b, higher_is_better=True)
    back = probability_of_improvement(a, b, higher_is_better=False)
    assert found.probability + back.probability == pytest.approx(1)
    assert (found.low, found.high) == pytest.approx((1 - back.high, 1 - back.low))


@given(a=NUMBERS, b=NUMBERS, data=st.data())
def test_order_of_seeds_and_a_rising_scale_do_not_matter_to_improvement(a, b, data):
    mixed = [v**3 + 1 for v in data.draw(st.permutations(a))]
    found = probability_of_improvement(mixed, [v**3 + 1 for v in b], higher_is_better=True)
    assert found == probability_of_improvement(a, b, higher_is_better=True)


def test_interval_of_improvement_is_over_seeds_of_each_resampled_on_their_own():
    """Against all 3^3 times 3^3 resamples."""
    a, b = np.array([1.0, 4.0, 6.0]), np.array([0.0, 3.0, 5.0])
    draws = [list(rows) for rows in itertools.product(range(3), repeat=3)]
    shares = [np.mean(a[i][:, None] > b[j]) for i in draws for j in draws]
    found = probability_of_improvement(a.tolist(), b.tolist(), higher_is_better=True)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(shares, [2.5, 97.5])))


def test_improvement_of_a_single_seed_has_no_interval():
    found = probability_of_improvement([1.0, 2.0], [0.5, None], higher_is_better=True)
    assert found == Improvement(1.0, None, None, 2, 1)
    empty = probability_of_improvement([], [0.5], higher_is_better=True)
    assert empty == Improvement(None, None, None, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "expected"), [(3, 0.70), (5, 0.91), (10, 0.92)])
def test_interval_of_improvement_covers_as_often_as_measured(n, expected):
    rng, samples, true = np.random.default_rng(n), 1000, norm.cdf(1 / math.sqrt(2))
    found = [
        probability_of_improvement(rng.normal(1, 1, n), rng.normal(size=n), higher_is_better=True)
        for _ in range(samples)
    ]
    hits = np.mean([each.low <= true <= each.high for each in found])
    assert hits == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / samples))
