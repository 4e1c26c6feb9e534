import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobeta.data import FactorSpace

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def space_of(sizes):
    return FactorSpace(tuple(f"f{k}" for k in range(len(sizes))), tuple(sizes))


@given(SIZES)
def test_every_index_comes_back_from_its_factors(sizes):
    space = space_of(sizes)
    index = np.arange(space.num_combinations)
    factors = space.factors(index)
    assert factors.shape == (len(index), space.num_factors)
    assert (factors >= 0).all()
    assert (factors < np.array(space.sizes)).all()
    assert np.array_equal(space.index(factors), index)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5)), min_size=1, max_size=5))
def test_all_factors_come_back_from_their_index(sizes_and_values):
    space = space_of([size for size, _ in sizes_and_values])
    factors = np.array([[value % size for size, value in sizes_and_values]])
    assert np.array_equal(space.factors(space.index(factors)), factors)


@given(SIZES)
def test_the_index_is_the_mixed_radix_number_of_the_factors(sizes):
    space = space_of(sizes)
    bases = [int(np.prod(space.sizes[k + 1 :])) for k in range(space.num_factors)]
    index = np.arange(space.num_combinations)
    assert np.array_equal(space.factors(index) @ np.array(bases), index)


def test_the_last_factor_is_fastest():
    space = FactorSpace(("slow", "fast"), (2, 3))
    assert space.factors(np.arange(4)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]


def test_an_index_outside_the_grid_is_refused():
    space = FactorSpace(("a", "b"), (2, 3))
    with pytest.raises(ValueError, match=r"`index` must be in 0\.\.5; got 6"):
        space.factors(np.array([0, 6]))
    with pytest.raises(ValueError, match=r"`index` must be in 0\.\.5; got -1"):
        space.factors(np.array([-1, 2]))


@pytest.mark.parametrize("value", [-1, 3])
def test_a_factor_value_outside_its_range_is_refused(value):
    space = FactorSpace(("a", "b"), (2, 3))
    with pytest.raises(ValueError, match=rf"must have b in 0\.\.2; got {value}"):
        space.index(np.array([[0, 0], [1, value]]))


def test_factors_with_a_column_too_many_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(batch, 2\); got \(1, 3\)"):
        FactorSpace(("a", "b"), (2, 3)).index(np.array([[0, 0, 0]]))


def test_names_and_sizes_must_match():
    with pytest.raises(ValueError, match="same length, at least 1; got 2 and 1"):
        FactorSpace(("a", "b"), (2,))
    with pytest.raises(ValueError, match="same length, at least 1; got 0 and 0"):
        FactorSpace((), ())


def test_names_must_differ():
    with pytest.raises(ValueError, match="`names` must be all different"):
        FactorSpace(("a", "a"), (2, 2))


def test_a_factor_without_values_is_refused():
    with pytest.raises(ValueError, match="`sizes` must be at least 1"):
        FactorSpace(("a", "b"), (2, 0))
