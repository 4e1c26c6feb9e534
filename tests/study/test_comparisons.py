"""Methods compared seed by seed: the paired t test, Holm's procedure, and what can't be told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autobeta.study.statistics import Paired, comparisons, holm, paired

P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=12)
NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=8)


def seeds(*values):
    return dict(enumerate(values))


@given(a=NUMBERS, b=NUMBERS)
def test_paired_is_scipys_paired_t_test(a, b):
    differences = [x - y for x, y in zip(a, b, strict=False)]
    if len(set(differences)) == 1:
        return
    found, pairs = paired(seeds(*a), seeds(*b)), len(differences)
    test = stats.ttest_rel(a[:pairs], b[:pairs])
    expected = (np.mean(differences), *test.confidence_interval(0.95), test.pvalue, pairs)
    assert found == pytest.approx(expected, abs=1e-9)


def test_only_seeds_with_both_values_are_paired():
    a, b = {0: 1.0, 1: 2.0, 2: None, 3: math.nan, 4: 9.0}, {1: 1.5, 0: 0.0, 2: 1.0, 3: 1.0, 5: 0.0}
    assert paired(a, b) == paired(seeds(1.0, 2.0), seeds(0.0, 1.5))
    assert paired(a, b).n == 2


def test_one_shared_seed_has_a_difference_and_no_test():
    assert paired(seeds(3.0), seeds(1.0, 2.0)) == Paired(2.0, None, None, None, 1)
    assert paired({0: 3.0}, {1: 1.0}) == Paired(None, None, None, None, 0)
    infinite = np.float64(math.inf)
    assert paired({0: infinite}, {0: infinite}).n == 0


def test_equal_differences_need_no_spread():
    assert paired(seeds(2.0, 3.0), seeds(1.0, 2.0)) == Paired(1.0, 1.0, 1.0, 0.0, 2)
    assert paired(seeds(2.0, 3.0), seeds(2.0, 3.0)) == Paired(0.0, 0.0, 0.0, 1.0, 2)
    assert paired(seeds(0.0, 1e-200), seeds(0.0, 0.0)).p == 1.0  # whose square is 0


def test_holm_gives_the_numbers_of_a_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and the last is held at .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def rejected(p_values, level):
    """Holm's procedure as it is defined: step down until one is not small enough."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    out = set()
    for step, place in enumerate(order):
        if (len(order) - step) * p_values[place] > level:
            break
        out.add(place)
    return out


@given(p_values=st.lists(st.floats(0, 1), max_size=12), level=st.floats(0.001, 0.999))
def test_holm_rejects_what_its_definition_rejects(p_values, level):
    found = {place for place, p in enumerate(holm(p_values)) if p <= level}
    assert found == rejected(p_values, level)


@given(p_values=P_VALUES)
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values):
    pairs = [(p, q) for p, q in zip(p_values, holm(p_values), strict=True) if p is not None]
    assert all(p <= q <= 1 for p, q in pairs)
    adjusted = [q for _, q in sorted(pairs)]
    assert adjusted == sorted(adjusted)
    assert [p is None for p in p_values] == [q is None for q in holm(p_values)]


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=r"`p_values` must be in \[0, 1\]; got"):
        holm([0.5, p])


RUNS = {
    "bad": seeds(0.1, 0.2, 0.1, 0.2, 0.1),
    "good": seeds(0.8, 0.9, 0.8, 0.9, 0.9),
    "close": seeds(0.9, 0.8, 0.9, 0.8, 0.8),
    "young": {0: 0.5},
    "failed": {0: None, 1: math.nan},
}


def test_every_method_is_compared_with_the_best():
    found = comparisons(RUNS, higher_is_better=True)
    assert found.best == "good"
    assert {name: other.verdict for name, other in found.others.items()} == {
        "bad": "worse",
        "close": "not told apart",
        "young": "too few seeds",
        "failed": "no values",
    }
    assert found.indistinguishable == ("good", "close", "young")
    bad, close = found.others["bad"], found.others["close"]
    assert bad.paired == paired(RUNS["bad"], RUNS["good"])
    assert bad.adjusted == 2 * bad.paired.p  # of two tests
    assert close.adjusted == close.paired.p


def test_lower_is_better_where_it_is_said():
    found = comparisons(RUNS, higher_is_better=False)
    assert found.best == "bad"
    assert found.others["good"].verdict == found.others["close"].verdict == "worse"


def test_one_seed_each_is_too_few_to_tell_anything():
    found = comparisons({"a": {0: 0.1}, "b": {0: 0.9}}, higher_is_better=True)
    assert found.others["a"].verdict == "too few seeds"
    assert found.indistinguishable == ("b", "a")


def test_method_better_on_the_shared_seeds_is_not_called_worse():
    shared = {"a": seeds(0.5, 0.6, 0.55), "b": seeds(0.1, 0.2, 0.15) | {9: 5.0}}
    found = comparisons(shared, higher_is_better=True)
    assert found.best == "b"
    assert found.others["a"].adjusted < 0.05
    assert found.others["a"].verdict == "not told apart"


def test_without_any_value_no_method_is_best():
    found = comparisons({"a": {0: None}, "b": {}}, higher_is_better=True)
    assert (found.best, found.indistinguishable) == (None, ())
    assert found.others["b"].verdict == "no values"
