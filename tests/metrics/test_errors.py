"""Inputs that a metric refuses, and what it says."""

import functools
import sys

import numpy as np
import pytest
import torch

from autobeta.metrics import (
    betavae,
    chenmig,
    dci,
    dci_gbt,
    dci_lasso,
    dci_rf,
    dcimig,
    explicitness,
    factorvae,
    gaussian_total_correlation,
    gaussian_wasserstein,
    infomec,
    information_shares,
    irs,
    jemmig,
    mcc,
    mcc_spearman,
    mig,
    modularity,
    probes,
    rmig,
    sap,
    score,
    udr,
)
from autobeta.metrics._names import find
from autobeta.metrics._options import check_options
from autobeta.registry import available


def given_logvars(metric):
    """A metric of the posterior, with log-variances of 0."""

    @functools.wraps(metric)
    def value(codes, factors, **options):
        return metric(codes, factors, logvars=np.zeros(np.shape(codes)), **options)

    return value


rmig_, chenmig_ = given_logvars(rmig), given_logvars(chenmig)
BINNED = [mig, modularity, jemmig, dcimig]
DISCRETE = [*BINNED, explicitness, infomec, factorvae, betavae, irs, rmig_, chenmig_]
CONTINUOUS = [sap, dci, dci_rf, dci_lasso, mcc, mcc_spearman, probes]
ALL = [*DISCRETE, *CONTINUOUS]
OF_CODES = [gaussian_total_correlation, gaussian_wasserstein]
VOTES = [factorvae, betavae]
FITTED = [sap, dci, explicitness, probes]
COMPARING = [modularity, dci, infomec, *VOTES]


def numbers(value):
    """The numbers of a score."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, tuple) else [value]


def test_every_metric_is_in_the_lists():
    listed = {f.__name__ for f in [*ALL, *OF_CODES]}
    assert set(available("metrics")) <= listed


@pytest.fixture
def codes():
    return np.random.default_rng(0).normal(size=(120, 4))


@pytest.fixture
def factors():
    return np.random.default_rng(1).integers([3, 4], size=(120, 2))


@pytest.mark.parametrize("metric", ALL)
def test_strings_are_refused_as_factors(metric, codes, factors):
    with pytest.raises(TypeError, match=r"`factors` must hold numbers; got dtype <U.*unique"):
        metric(codes, factors.astype(str))


@pytest.mark.parametrize("metric", ALL)
def test_missing_factor_values_are_refused(metric, codes, factors):
    broken = factors.astype(float)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"`factors` must be finite; got nan in column 1"):
        metric(codes, broken)


@pytest.mark.parametrize("metric", DISCRETE)
def test_continuous_factors_are_refused_where_values_are_counted(metric, codes, factors):
    with pytest.raises(ValueError, match=r"got 0\.5 in column 0\. Put a continuous factor"):
        metric(codes, factors * 1.0 + 0.5 * (factors == 0))


@pytest.mark.parametrize("metric", CONTINUOUS)
def test_continuous_factors_are_regressed_on(metric):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(400, 2))
    perfect = numbers(metric(factors, factors))
    assert min(perfect[:2]) > 0.8
    noise = numbers(metric(rng.normal(size=(400, 2)), factors))
    assert max(noise[:1]) < 0.3


def test_one_factor_may_be_continuous_and_another_not():
    rng = np.random.default_rng(0)
    factors = np.column_stack([rng.integers(3, size=400), rng.normal(size=400)])
    codes = factors / factors.std(axis=0)
    test = (codes[300:], factors[300:])
    one = sap(codes[:300], factors[:300, :1].astype(int), test=(test[0], test[1][:, :1]))
    other = sap(codes[:300], factors[:300, 1:], test=(test[0], test[1][:, 1:]))
    both = sap(codes[:300], factors[:300], test=test)
    assert both == pytest.approx((one + other) / 2)
    assert other == pytest.approx(1, abs=0.02)


def test_whole_floats_and_booleans_are_taken_as_integers(codes, factors):
    assert mig(codes, factors.astype(np.float32)) == mig(codes, factors)
    assert mig(codes, factors > 1) == mig(codes, (factors > 1).astype(int))


def test_lists_and_integer_codes_are_taken(codes, factors):
    whole = np.round(5 * codes)
    assert mig(whole.astype(int).tolist(), factors.tolist()) == mig(whole, factors)


@pytest.mark.parametrize("metric", [*ALL, *OF_CODES])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(metric, value, codes, factors):
    codes[5, 2] = value
    with pytest.raises(ValueError, match=r"`codes` must be finite.*latents \[2\]"):
        metric(codes, factors)


@pytest.mark.parametrize("dtype", [complex, str, "datetime64[s]"])
def test_codes_that_are_not_real_are_refused(dtype, codes, factors):
    with pytest.raises(TypeError, match="`codes` must hold real numbers; got dtype"):
        mig(np.zeros(codes.shape).astype(dtype), factors)


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


@pytest.mark.parametrize("metric", [m for m in ALL if m not in VOTES])
def test_a_constant_factor_is_refused_by_its_column(metric, codes, factors):
    factors[:, 1] = 7
    with pytest.raises(ValueError, match=r"at least 2 values .* got only 7 in column 1\. Leave"):
        metric(codes, factors)


@pytest.mark.parametrize("metric", VOTES)
def test_votes_never_draw_a_constant_factor(metric, codes, factors):
    assert metric(codes, np.insert(factors, 1, 7, axis=1)) == metric(codes, factors)
    for one_varies in (np.insert(0 * factors, 1, factors[:, 0], axis=1), factors[:, :1]):
        with pytest.raises(ValueError, match=r"at least 2 columns for .* that vary.*got 1"):
            metric(codes, one_varies)


@pytest.mark.parametrize("metric", VOTES)
def test_votes_draw_no_value_that_occurs_once(metric):
    # 70 rows share a value of factor 0, and latent 0 rests in them; likewise 1
    row = np.arange(120)
    factors = np.column_stack([np.minimum(row, 50), np.maximum(row, 69)])
    codes = np.random.default_rng(0).normal(size=(120, 2))
    codes[50:, 0], codes[:70, 1] = 5.0, 5.0
    assert metric(codes, factors, num_train=50, num_eval=50) == 1


@pytest.mark.parametrize("metric", [*ALL, dci_gbt])
def test_a_factor_value_seen_once_gives_a_score(metric, codes, factors):
    factors = factors.copy()
    factors[7, 0] = 9
    assert all(0 <= number <= 1 for number in numbers(metric(codes, factors)))


def test_information_from_neighbours_needs_one(codes, factors):
    with pytest.raises(ValueError, match=r"`neighbors` must be in \[1, 10,000\]; got 0"):
        infomec(codes, factors, neighbors=0)


@pytest.mark.parametrize("metric", [m for m in ALL if m not in (mcc, mcc_spearman, dci_lasso)])
@pytest.mark.parametrize("many", [np.arange(120), np.arange(120) * 2 // 3])
def test_a_column_that_numbers_the_rows_is_refused_by_all_alike(metric, many, codes, factors):
    with pytest.raises(ValueError, match=r"two points for each value on average.*in column 1\. L"):
        metric(codes, np.column_stack([factors[:, 0], many]))


@pytest.mark.parametrize("metric", [mcc, mcc_spearman, dci_lasso])
def test_scores_that_take_values_as_numbers_take_many(metric, codes, factors):
    found = numbers(metric(codes, np.column_stack([factors[:, 0], np.arange(120)])))
    assert all(0 <= number <= 1 for number in found)


def test_more_than_a_thousand_values_are_too_many_among_any_number_of_points():
    codes, many = np.zeros((10_000, 2)), np.arange(10_000) // 5
    with pytest.raises(ValueError, match=r"at most 1,000 values; got 2000 values in 10000 points"):
        mig(codes, many[:, None])
    assert mig(codes, many[:, None] // 2) == 0  # the advice: bins


@pytest.mark.parametrize("metric", COMPARING)
def test_one_factor_is_refused_where_factors_are_compared(metric, codes, factors):
    with pytest.raises(ValueError, match="at least 2 columns for"):
        metric(codes, factors[:, :1])


@pytest.mark.parametrize("metric", [*ALL, dci_gbt])
def test_one_latent_gives_a_score(metric, codes, factors):
    assert all(0 <= number <= 1 for number in numbers(metric(codes[:, :1], factors)))


@pytest.mark.parametrize("metric", OF_CODES)
def test_one_latent_depends_on_no_other(metric, codes):
    assert numbers(metric(codes[:, :1])) == pytest.approx([0] * len(numbers(metric(codes))))


@pytest.mark.parametrize("metric", BINNED)
def test_bins_must_fit_the_points(metric, codes, factors):
    with pytest.raises(ValueError, match="got 19 points for 20 bins"):
        metric(codes[:19], factors[:19])
    with pytest.raises(ValueError, match=r"`bins` must be in \[2, 10,000\]; got 1"):
        metric(codes, factors, bins=1)


def test_dci_needs_enough_points_for_its_predictor(codes, factors):
    with pytest.raises(ValueError, match=r"at least 60 points to fit; got 40.*another variant"):
        dci_rf(codes[:60], factors[:60])
    with pytest.raises(ValueError, match=r"at least 10 points to fit; got 8"):
        dci_lasso(codes[:12], factors[:12])


def test_few_points_give_a_value_or_a_reason(codes):
    few = codes[:6], np.tile([[0, 1], [1, 0]], (3, 1))
    for metric in (*VOTES, irs, rmig_, chenmig_, mcc, sap, dci, infomec):
        assert all(0 <= number <= 1 for number in numbers(metric(*few)))
    for metric in BINNED:
        with pytest.raises(ValueError, match="got 6 points for 20 bins"):
            metric(*few)


def test_a_held_out_factor_of_one_value_has_no_curve(codes, factors):
    test = codes[100:], np.zeros((20, 2), dtype=int)
    with pytest.raises(
        ValueError, match=r"`factors` must have at least 2 values.*got 1 in 20 points of column 0"
    ):
        explicitness(codes[:100], factors[:100], test=test)


def test_probes_need_labels(codes, factors):
    for numbers_of_labels in ((), (10, 0)):
        with pytest.raises(
            ValueError, match="`num_labels` must be a list of whole numbers of at least 1; got"
        ):
            probes(codes, factors, num_labels=numbers_of_labels)


def test_chenmig_needs_a_sample(codes, factors):
    with pytest.raises(ValueError, match=r"`samples` must be in \[1, .*got 0"):
        chenmig_(codes, factors, samples=0)


@pytest.mark.parametrize("metric", [dci, probes])
def test_without_lightgbm_the_way_out_is_named(metric, codes, factors, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(
        ImportError, match=r"LightGBM must be there.*autobeta\[lightgbm\].*dci\[rf\]"
    ):
        metric(codes, factors)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("migg", r"`metrics` has no 'migg'.*Did you mean 'mig'\?"),
        ("mig[bin=3]", r"the variant of mig must be one of bins=NUMBER; got 'bin=3'"),
        ("mig[seed=3]", r"the variant of mig must be one of bins=NUMBER; got 'seed=3'"),
        ("mig[bins]", r"the variant of mig must be one of bins=NUMBER; got 'bins'"),
        ("mig[bins=few]", r"`bins` of mig must be a number in \[2, 10,000\]; got 'few'"),
        ("dci[xgb]", r"variant of dci must be one of lightgbm, gbt, rf, lasso; got 'xgb'"),
        ("sap[]", r"a metric must be a name such as mig, or name\[variant\].*got 'sap\[\]'"),
        ("explicitness[x]", r"the variant of explicitness must be one of none; got 'x'"),
    ],
)
def test_an_unknown_name_or_variant_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        find(name)


@pytest.mark.parametrize("metric", FITTED)
def test_held_out_tables_must_have_the_same_columns(metric, codes, factors):
    wrong = [(codes[:, 1:], factors), (codes, factors[:, 1:]), (codes[1:], factors)]
    for test in wrong:
        with pytest.raises(ValueError, match=r"`test` must (be held-out|have a row of factors)"):
            metric(codes, factors, test=test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, r"`batch_size` must be in \[2, .*got 1"),
        ({"num_eval": 0}, r"`num_eval` must be in \[1, .*got 0"),
        ({"dead_fraction": 1.1}, r"`dead_fraction` must be in \[0.0, 1.0\]; got 1.1"),
        ({"seed": -1}, r"`seed` must be in \[0, .*got -1"),
    ],
)
@pytest.mark.parametrize("metric", VOTES)
def test_votes_refuse_options_out_of_range(metric, options, message, codes, factors):
    with pytest.raises(ValueError, match=message):
        metric(codes, factors, **options)


def test_an_option_that_counts_must_be_whole():
    with pytest.raises(TypeError, match=r"`bins` must be a whole number; got 2.5"):
        check_options({"bins": (2, 10)}, 0, bins=2.5)


def test_irs_refuses_a_quantile_out_of_range(codes, factors):
    with pytest.raises(ValueError, match=r"`quantile` must be in \[0.0, 1.0\]; got 1.5"):
        irs(codes, factors, quantile=1.5)


@pytest.mark.parametrize("metric", [rmig, chenmig])
def test_log_variances_must_fit_the_codes(metric, codes, factors):
    with pytest.raises(ValueError, match=r"`logvars` must have the shape of `codes`"):
        metric(codes, factors, logvars=codes[:, 1:])
    with pytest.raises(ValueError, match="`logvars` must be finite"):
        metric(codes, factors, logvars=np.full(codes.shape, np.nan))


def test_rmig_refuses_a_wrong_grid(codes, factors):
    for name, value in {"bins": 1, "limit": 0.0}.items():
        with pytest.raises(ValueError, match=rf"`{name}` must be in .*; got {value}"):
            rmig_(codes, factors, **{name: value})


def test_names_of_metrics_may_come_from_any_iterable(unchecked):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    codes = factors + 0.1 * rng.normal(size=factors.shape)
    found = score(codes, factors, metrics=(name for name in ("mig", "sap")))
    assert found == score(codes, factors, metrics=["mig", "sap"])
    with pytest.raises(TypeError, match="`metrics` must be a list of names"):
        score(codes, factors, metrics=3)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_points_are_told_as_such(rows):
    with pytest.raises(ValueError, match=r"`codes` must have shape .* at least 2 points"):
        score(np.zeros((rows, 2)), np.zeros((rows, 2), int), metrics=["mig"])


def test_whole_numbers_of_numpy_are_whole_numbers_and_truth_values_are_none(unchecked):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    score(factors + 0.0, factors, metrics=["mig"], n_jobs=np.int64(1), seed=np.int64(3))
    with pytest.raises(TypeError, match="`seed` must be a whole number; got True"):
        score(factors + 0.0, factors, metrics=["dci"], seed=True)
    with pytest.raises(ValueError, match=r"`n_jobs` must be .* at most 1,000"):
        score(factors + 0.0, factors, metrics=["mig"], n_jobs=10**6)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_codes_and_factors_may_be_of_any_layout_and_objects():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    codes = (factors + 0.1 * rng.normal(size=factors.shape)).astype(np.float32)
    wanted = score(codes, factors, metrics=["mig"])
    assert score(codes.astype(object), factors, metrics=["mig"]) == wanted
    tensor = torch.tensor(codes)
    for same in (tensor.to_sparse(), tensor.to_sparse_csr(), -torch._neg_view(tensor)):
        assert score(same, torch.tensor(factors).to_sparse(), metrics=["mig"]) == wanted
    rough = tensor.to(torch.float8_e4m3fn)
    assert score(rough, factors, metrics=["mig"])["mig[bins=20]"] > 0.5
    with pytest.raises(ValueError, match="`codes` must hold numbers; got a tensor on the device"):
        score(tensor.to("meta"), factors, metrics=["mig"])


def test_a_rare_value_is_told_with_its_column():
    factors = np.random.default_rng(0).integers(0, 3, (60, 2))
    rare = np.c_[factors, np.r_[np.zeros(59, int), 1]]
    with pytest.raises(ValueError, match=r"of column 2\. Leave that column out"):
        score(rare + 0.0, rare, metrics=["explicitness"])


@pytest.mark.parametrize("given", [10, [10.5], [0], []])
def test_numbers_of_labels_are_whole(given, unchecked):
    factors = np.random.default_rng(0).integers(0, 3, (60, 2))
    with pytest.raises(ValueError, match="`num_labels` must be a list of whole numbers"):
        probes(factors + 0.0, factors, num_labels=given)


def test_runs_that_are_no_pairs_are_refused(unchecked):
    codes = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(
        TypeError, match="`runs` must be pairs of codes and logvars; got a ndarray"
    ):
        udr([codes, codes])


def test_shares_read_what_scores_read():
    factors = np.random.default_rng(0).integers(0, 3, (60, 2))
    wanted = information_shares(factors + 0.0, factors)
    graph = torch.tensor(factors + 0.0, requires_grad=True)
    assert np.array_equal(information_shares(graph, graph), wanted)
    with pytest.raises(ValueError, match="`codes` must be finite"):
        information_shares(np.full((60, 2), np.nan), np.ones((60, 2), int))


def test_a_column_is_told_by_the_number_that_it_was_given_with():
    factors = np.random.default_rng(0).integers(0, 3, (60, 2))
    rare = np.c_[np.zeros(60, int), factors, np.r_[np.zeros(59, int), 1]]
    told = pytest.raises(ValueError, match=r"of column 3\. Leave that column out")
    with pytest.warns(UserWarning, match="constant factors in columns"), told:
        score(rare[:, 1:] + 0.0, rare, metrics=["explicitness"])


def test_rows_may_be_tensors_of_a_graph(codes, factors):
    rows = [torch.tensor(row, requires_grad=True) for row in codes]
    assert mig(rows, factors) == mig(codes, factors)
