"""Labels of any size and kind, codes of any scale, and columns that only rounding moves."""

import inspect
import re
import time

import numpy as np
import pytest

from autobeta.metrics import dci_lasso, explicitness, live_latents, mcc, mig, sap, score
from autobeta.metrics._information import histogram_bins
from autobeta.registry import available, load


def functions():
    """The functions of each metric, but one that takes minutes."""
    for name in available("metrics"):
        module = load("metrics", name)
        for function in sorted({name, *getattr(module, "VARIANTS", {}).values()} - {"dci_gbt"}):
            yield getattr(module, function)


def parts(function, codes, factors):
    """Parts of a score, tested on the last third of the points where it fits."""
    taken = inspect.signature(function).parameters
    options = {"num_labels": (100,)} if "num_labels" in taken else {}
    options |= {few: 500 for few in ("num_train", "num_eval") if few in taken}
    if "logvars" in taken and taken["logvars"].default is inspect.Parameter.empty:
        options["logvars"] = np.full(codes.shape, -3.0)
    if "test" in taken:
        fitted = len(codes) * 2 // 3
        options["test"] = codes[fitted:], factors[fitted:]
        codes, factors = codes[:fitted], factors[:fitted]
    value = function(codes, factors, **options)
    value = list(value.values()) if isinstance(value, dict) else value
    return list(value) if isinstance(value, tuple | list) else [value]


METRICS = [pytest.param(f, id=f.__name__) for f in functions()]
OF_CODES = ("gaussian_total_correlation", "gaussian_wasserstein")
DISCRETE = "infomec_discrete"


@pytest.fixture
def factors():
    return np.random.default_rng(1).integers([3, 4], size=(240, 2))


@pytest.fixture
def codes(factors):
    return factors + 0.3 * np.random.default_rng(0).normal(size=factors.shape)


LABELS = {
    "huge": lambda f: f * 100 + 2**60,
    "negative": lambda f: -f.max() + f - 2**61,
    "unsigned": lambda f: (f * 100).astype(np.uint64) + np.uint64(2**63 + 5),
    "bytes": lambda f: f.astype(np.int8),
    "objects": lambda f: f.astype(object) * 10**40 - 10**60,
    "lists": lambda f: (f * 100 + 2**60).tolist(),
    "lists of both signs": lambda f: [[-(2**63) + int(a), 2**63 + int(b)] for a, b in f],
    "whole floats": lambda f: f * 1e300,
    "float32": lambda f: f.astype(np.float32),
    "long doubles": lambda f: f.astype(np.longdouble) * 100 + np.longdouble(2) ** 62,
    "objects and floats": lambda f: np.where([[True, False]], f.astype(object), f * 1.0),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("metric", METRICS)
def test_labels_are_numbered_before_any_cast(metric, kind, codes, factors):
    if metric.__name__ == DISCRETE:
        codes = np.round(2 * codes)
    found = parts(metric, codes, LABELS[kind](factors))
    assert found == pytest.approx(parts(metric, codes, factors), abs=1e-9)


def test_booleans_are_two_values(codes, factors):
    assert mig(codes, factors > 1) == mig(codes, (factors > 1).astype(int))


def test_labels_of_both_parts_are_numbered_together(codes, factors):
    big, held = factors[:160] + 2**60, (factors[160:] + 2**60).astype(np.uint64)
    for metric in (sap, explicitness, dci_lasso):
        plain = metric(codes[:160], factors[:160], test=(codes[160:], factors[160:]))
        assert metric(codes[:160], big, test=(codes[160:], held)) == pytest.approx(plain)
        floats = factors[160:].astype(object) * 1.0
        found = metric(codes[:160], factors[:160], test=(codes[160:], floats))
        assert found == pytest.approx(plain)


def test_large_numbers_keep_their_distances(codes, factors):
    uneven = np.array([0, 1, 5, 100])[factors]
    assert mcc(codes, uneven + 2**60) == pytest.approx(mcc(codes, uneven), abs=1e-12)
    # too wide a range for floats to tell two of them: numbered in their order
    wide = np.array([0, 2**62, 2**62 + 1, 2**63 - 1])[factors]
    assert mcc(codes, wide) == pytest.approx(mcc(codes, factors))


@pytest.mark.parametrize("wrong", [None, "a", 1j, np.datetime64("2020")])
def test_what_is_no_number_is_refused_with_its_column(wrong, codes, factors):
    table = factors.astype(object)
    table[3, 1] = wrong
    with pytest.raises(TypeError, match=r"`factors` must hold numbers; got .* in column 1\."):
        mig(codes, table)
    numbered = np.unique(table[:, 1].astype(str), return_inverse=True)[1]  # the advice
    assert 0 < mig(codes, np.column_stack([table[:, 0], numbered])) < 1


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan, np.longdouble("1e4000") + 0.5])
def test_labels_that_are_not_finite_are_refused(wrong, codes, factors):
    table = factors.astype(object)
    table[3, 1] = wrong
    if np.isfinite(wrong):  # whole, if beyond a float
        assert 0 < mig(codes, table) < 1
    else:
        with pytest.raises(ValueError, match=r"`factors` must be finite; got .* in column 1"):
            mig(codes, table)


def test_masked_and_ragged_tables_are_refused(codes, factors):
    with pytest.raises(ValueError, match=r"`codes` must have no masked entries\. Leave out"):
        mig(np.ma.masked_less(codes, 0), factors)
    with pytest.raises(ValueError, match=r"`factors` must be a table of rows of one length"):
        mig(codes, [[1, 2], [3]] * 120)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-31, 1e31, 1e100, 1e300])
@pytest.mark.parametrize("metric", METRICS)
def test_codes_whose_squares_are_no_numbers_are_refused_at_once(metric, scale, codes, factors):
    begin = time.perf_counter()
    with pytest.raises(ValueError, match=r"`codes` must (be at most|vary by at least)") as caught:
        parts(metric, scale * codes, factors)
    assert time.perf_counter() - begin < 5
    if metric.__name__ not in ("rmig", DISCRETE):  # the advice; a prior has a scale of its own
        divisor = float(re.search(r"Divide them by ([\d.e+-]+)\.$", str(caught.value))[1])
        assert all(np.isfinite(parts(metric, scale * codes / divisor, factors)))


@pytest.mark.parametrize("scale", [1e-29, 1e-6, 1e6, 1e29])
@pytest.mark.parametrize("metric", METRICS)
def test_codes_of_any_other_scale_have_a_score_soon(metric, scale, codes, factors):
    begin = time.perf_counter()
    assert np.isfinite(
        parts(metric, scale * (np.round(codes) if metric.__name__ == DISCRETE else codes), factors)
    ).all()
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_a_latent_that_only_rounding_moves_is_as_a_constant_one(metric, kind, codes, factors):
    if metric.__name__ == DISCRETE:
        codes = np.round(codes)
    rng = np.random.default_rng(2)
    for value in (0.1, -7.0, 1e5):
        still = np.full((len(codes), 1), value, dtype=kind)
        moved = still + rng.integers(0, 16, size=still.shape) * np.spacing(still)
        assert np.ptp(moved) > 0
        table = codes.astype(kind)
        found = parts(metric, np.hstack([table, moved.astype(kind)]), factors)
        assert found == parts(metric, np.hstack([table, still]), factors)


@pytest.mark.parametrize("num_bins", [2, 20, 200])
def test_a_latent_too_narrow_for_its_bins_falls_into_one(num_bins):
    for steps in (1, 33, 1000):
        column = 1 + np.linspace(0, steps, 300).round() * 2.0**-52
        found = histogram_bins(column[:, None], num_bins)
        assert found.max() == (num_bins - 1 if steps > 2 * num_bins else 0)
        narrow = histogram_bins(
            (1 + np.linspace(0, steps, 300) * 2.0**-23)[:, None].astype("f4"), num_bins
        )
        assert narrow.max() == num_bins - 1  # float64 has edges enough


@pytest.mark.parametrize("metric", METRICS)
def test_scores_stay_in_their_range_where_rounding_would_leave_it(metric, factors):
    grid = np.array([[a, b] for a in range(7) for b in range(7)] * 8)
    for codes in (grid / 7, np.hstack([grid, grid]) * 0.1):
        found = np.array(parts(metric, codes, grid))
        high = np.inf if metric.__name__ in OF_CODES else 1
        assert ((found >= 0) & (found <= high)).all()


def test_live_latents_are_those_of_the_tables_as_metrics_see_them():
    z = np.random.default_rng(0).normal(size=(50, 2))
    assert live_latents(np.column_stack([z, 1 + 1e-16 * z[:, 0]])).tolist() == [True, True, False]


def test_the_suite_of_a_wild_table_names_what_it_leaves_out(codes, factors):
    with pytest.warns(UserWarning, match=r"left out: .*sap.* must be at most 1e\+30"):
        assert score(1e100 * codes, factors) == {}


@pytest.mark.parametrize("variant", ["lightgbm", "rf", "gbt"])
@pytest.mark.parametrize("offset", [1e9, 1.7e9, -1e12])
def test_a_continuous_factor_counts_from_its_least(variant, offset):
    """Such as a time stamp, whose digits float32 has not."""
    rng = np.random.default_rng(0)
    factors = rng.uniform(0, 100, (300, 2))
    codes = factors / 30 + 0.1 * rng.normal(size=factors.shape)
    name = f"dci[{variant}]"
    near, far = (score(codes, f, metrics=[name])[name] for f in (factors, factors + offset))
    assert near["informativeness"] > 0.9
    assert far == pytest.approx(near, abs=0.03)


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore:latents .* vary little")
@pytest.mark.parametrize("variant", ["rf", "gbt"])
@pytest.mark.parametrize("scale", [1e-7, 1e-25, [1, 1e-9], 1e9])
def test_trees_see_the_order_of_latents_and_no_scale(variant, scale, codes, factors):
    name = f"dci[{variant}]"
    near, far = (score(c, factors, metrics=[name])[name] for c in (codes, codes * scale))
    assert far == pytest.approx(near, abs=0.03)
    moved = score(codes + 1e8, factors, metrics=[name])[name]
    assert moved == pytest.approx(near, abs=0.03)


@pytest.mark.parametrize("scale", [1e-24, 1e-19, 1e19, 1e24])
def test_explicitness_of_narrow_floats_is_that_of_wide_ones(scale, codes, factors):
    near, far = (explicitness((codes * s).astype(np.float32), factors) for s in (1, scale))
    assert near > 0.9
    assert far == pytest.approx(near, abs=1e-3)
    many = np.tile(codes, (200, 1))
    moved = explicitness((many + 1e4).astype(np.float32), np.tile(factors, (200, 1)))
    assert moved == pytest.approx(explicitness(many, np.tile(factors, (200, 1))), abs=1e-3)
