"""Inputs that a metric refuses, and what it says."""

import numpy as np
import pytest

from autobeta.metrics import dci, factorvae, irs, mig, modularity, rmig, sap


def with_logvars(codes, factors, **options):
    return rmig(codes, factors, logvars=np.zeros(np.shape(codes)), **options)


ALL = [mig, modularity, sap, factorvae, dci, irs, with_logvars]
FITTED = [sap, dci]


@pytest.fixture
def codes():
    return np.random.default_rng(0).normal(size=(120, 4))


@pytest.fixture
def factors():
    return np.random.default_rng(1).integers([3, 4], size=(120, 2))


@pytest.mark.parametrize("metric", ALL)
def test_strings_are_refused_as_factors(metric, codes, factors):
    with pytest.raises(TypeError, match=r"`factors` must hold integers; got dtype <U.*unique"):
        metric(codes, factors.astype(str))


@pytest.mark.parametrize("metric", ALL)
def test_missing_factor_values_are_refused(metric, codes, factors):
    broken = factors.astype(float)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"`factors` must hold integers; got nan in column 1"):
        metric(codes, broken)


def test_continuous_factors_are_refused(codes, factors):
    with pytest.raises(ValueError, match=r"got 0\.5 in column 0\. Put a continuous factor"):
        mig(codes, factors * 1.0 + 0.5 * (factors == 0))


def test_whole_floats_and_booleans_are_taken_as_integers(codes, factors):
    assert mig(codes, factors.astype(np.float32)) == mig(codes, factors)
    assert mig(codes, factors > 1) == mig(codes, (factors > 1).astype(int))


def test_lists_and_integer_codes_are_taken(codes, factors):
    whole = np.round(5 * codes)
    assert mig(whole.astype(int).tolist(), factors.tolist()) == mig(whole, factors)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(metric, value, codes, factors):
    codes[5, 2] = value
    with pytest.raises(ValueError, match=r"`codes` must be finite.*latents \[2\]"):
        metric(codes, factors)


@pytest.mark.parametrize("dtype", [complex, str, object])
def test_codes_that_are_not_real_are_refused(dtype, codes, factors):
    with pytest.raises(TypeError, match="`codes` must hold real numbers; got dtype"):
        mig(codes.astype(dtype), factors)


@pytest.mark.parametrize("metric", ALL)
def test_tables_of_different_lengths_are_refused(metric, codes, factors):
    message = r"same number of points; got shapes \(120, 4\) and \(119, 2\)"
    with pytest.raises(ValueError, match=message):
        metric(codes, factors[:-1])


@pytest.mark.parametrize("shape", [(120,), (1, 4), (120, 0), (10, 4, 3)])
def test_codes_of_another_shape_are_refused(shape, factors):
    with pytest.raises(ValueError, match=r"`codes` must have shape \(num_points, num_latents\)"):
        mig(np.zeros(shape), factors)


@pytest.mark.parametrize("shape", [(120,), (120, 0)])
def test_factors_of_another_shape_are_refused(shape, codes):
    with pytest.raises(ValueError, match=r"`factors` must have shape \(num_points, num_factors\)"):
        mig(codes, np.zeros(shape, dtype=int))


@pytest.mark.parametrize("metric", [m for m in ALL if m is not factorvae])
def test_a_constant_factor_is_refused_by_its_column(metric, codes, factors):
    factors[:, 1] = 7
    with pytest.raises(ValueError, match=r"at least 2 values .* got only 7 in column 1\. Leave"):
        metric(codes, factors)


def test_factorvae_never_draws_a_constant_factor(codes, factors):
    value = factorvae(codes, factors)
    assert factorvae(codes, np.insert(factors, 1, 7, axis=1)) == value
    with pytest.raises(ValueError, match="all columns are constant"):
        factorvae(codes, 0 * factors)


def test_factorvae_needs_a_shared_value(codes):
    with pytest.raises(ValueError, match="every value occurs once"):
        factorvae(codes, np.arange(120)[:, None])


def test_factorvae_draws_no_value_that_occurs_once(codes):
    # only two rows share a value: each vote is theirs
    factors = np.append(np.arange(119), 0)[:, None]
    assert factorvae(codes, factors, num_train=5, num_eval=5) == 1


@pytest.mark.parametrize("metric", [modularity, dci])
def test_one_factor_is_refused_where_factors_are_compared(metric, codes, factors):
    with pytest.raises(ValueError, match="at least 2 columns for"):
        metric(codes, factors[:, :1])


@pytest.mark.parametrize("metric", [mig, modularity])
def test_bins_must_fit_the_points(metric, codes, factors):
    with pytest.raises(ValueError, match="got 19 points for 20 bins"):
        metric(codes[:19], factors[:19])
    with pytest.raises(ValueError, match="`bins` must be at least 2; got 1"):
        metric(codes, factors, bins=1)


def test_dci_needs_two_leaves(codes, factors):
    with pytest.raises(ValueError, match=r"at least 2 \* min_leaf = 60 points to fit; got 40"):
        dci(codes[:60], factors[:60])


def test_few_points_give_a_value_or_a_reason(codes, factors):
    few = codes[:6], np.tile([[0, 1], [1, 0]], (3, 1))
    for metric in (sap, factorvae, irs, with_logvars):
        assert 0 <= metric(*few) <= 1


@pytest.mark.parametrize("metric", FITTED)
def test_held_out_tables_must_have_the_same_columns(metric, codes, factors):
    wrong = [(codes[:, 1:], factors), (codes, factors[:, 1:]), (codes[1:], factors)]
    for test in wrong:
        with pytest.raises(ValueError, match="`test` must be held-out"):
            metric(codes, factors, test=test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "`batch_size` must be at least 2; got 1"),
        ({"num_eval": 0}, "`num_train` and `num_eval` must be at least 1; got 10000 and 0"),
        ({"dead_fraction": 1.0}, r"`dead_fraction` must be in \[0, 1\); got 1.0"),
    ],
)
def test_factorvae_refuses_options_out_of_range(options, message, codes, factors):
    with pytest.raises(ValueError, match=message):
        factorvae(codes, factors, **options)


def test_irs_refuses_a_quantile_out_of_range(codes, factors):
    with pytest.raises(ValueError, match=r"`quantile` must be in \[0, 1\]; got 1.5"):
        irs(codes, factors, quantile=1.5)


def test_rmig_refuses_a_wrong_grid_or_shape(codes, factors):
    with pytest.raises(ValueError, match=r"`logvars` must have the shape of `codes`"):
        rmig(codes, factors, logvars=codes[:, 1:])
    for options in ({"bins": 1}, {"limit": 0.0}):
        with pytest.raises(ValueError, match="`bins` must be at least 2 and `limit` above 0"):
            with_logvars(codes, factors, **options)
