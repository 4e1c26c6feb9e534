"""Intervals of scores, and whether they hold what they should."""

import numpy as np
import pytest

from autobeta.metrics import intervals, score


def draw(rng, num_points):
    """Noisy codes of three factors, two latents mixed."""
    factors = rng.integers([3, 4, 5], size=(num_points, 3))
    signal = (factors - [1, 1.5, 2]) / np.sqrt([2 / 3, 5 / 4, 2])
    signal[:, 0] += 0.3 * signal[:, 1]
    return signal + 0.5 * rng.normal(size=signal.shape), factors


@pytest.fixture
def sample():
    return draw(np.random.default_rng(0), 400)


@pytest.mark.whole
def test_each_score_and_each_part_has_an_interval_about_it(sample):
    names = ["mig", "dci[rf]", "gaussian_total_correlation"]
    scores, ends = intervals(*sample, metrics=names, halves=3)
    assert scores == score(*sample, metrics=names)
    assert list(ends) == list(scores)
    low, high = ends["mig[bins=20]"]
    assert low < scores["mig[bins=20]"] < high
    assert (low + high) / 2 == pytest.approx(scores["mig[bins=20]"])
    assert set(ends["dci[rf]"]) == set(scores["dci[rf]"])
    for part, (low, high) in ends["dci[rf]"].items():
        assert 0 <= low <= scores["dci[rf]"][part] <= high <= 1
    assert ends["gaussian_total_correlation"][0] == 0  # cut at the end of the range


def test_more_points_give_a_narrower_interval():
    rng = np.random.default_rng(0)

    def width(num_points):
        low, high = intervals(*draw(rng, num_points), metrics=["mig"])[1]["mig[bins=20]"]
        return high - low

    assert width(6400) == pytest.approx(width(400) / 4, rel=0.5)


def test_a_higher_level_gives_a_wider_interval(sample):
    low, high = intervals(*sample, metrics=["mig"], level=0.5)[1]["mig[bins=20]"]
    lower, higher = intervals(*sample, metrics=["mig"], level=0.99)[1]["mig[bins=20]"]
    assert lower < low < high < higher


@pytest.mark.whole
def test_held_out_points_are_halved_too(sample):
    codes, factors = sample
    fit, test = (codes[:300], factors[:300]), (codes[300:], factors[300:])
    ends = intervals(*fit, test=test, metrics=["sap"])[1]["sap"]
    few = intervals(*fit, test=(test[0][:20], test[1][:20]), metrics=["sap"])[1]["sap"]
    assert few[1] - few[0] > ends[1] - ends[0] > 0


@pytest.mark.whole
def test_intervals_do_not_depend_on_the_number_of_jobs(sample):
    names = ["mig", "sap"]
    one = intervals(*sample, metrics=names, halves=4)
    assert intervals(*sample, metrics=names, halves=4, n_jobs=2) == one
    assert intervals(*sample, metrics=names, halves=4, seed=1)[1] != one[1]


def test_log_variances_are_halved_with_the_codes(sample):
    codes, factors = sample
    spread = np.random.default_rng(1).uniform(-4, 0, size=codes.shape)
    ends = intervals(codes, factors, logvars=spread, metrics=["rmig"])[1]["rmig[bins=100]"]
    assert 0 < ends[0] < ends[1] < 1


def test_a_score_that_is_not_finite_has_no_interval():
    z = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.warns(UserWarning, match="is inf: a latent is a linear function"):
        low, high = intervals(np.hstack([z, z]))[1]["gaussian_total_correlation"]
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 1.0}, r"`level` must be in .*; got 1\.0"),
        ({"halves": 1}, r"`halves` must be in \[2, .*; got 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message, sample):
    with pytest.raises(ValueError, match=message):
        intervals(*sample, **options)


def test_too_few_points_for_a_half_are_refused(sample):
    codes, factors = (part[:30] for part in sample)
    with pytest.raises(ValueError, match=r"too few for intervals: .*15 points for 20"):
        intervals(codes, factors, metrics=["mig"])


FAST = ["mcc"]
SLOW = [
    "mcc",
    "mig",
    "irs",
    "dcimig",
    "modularity",
    "factorvae[num_train=300,num_eval=300]",
    "explicitness",
]


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "num_samples"),
    [*((n, 30) for n in FAST), *(pytest.param(n, 150, marks=pytest.mark.slow) for n in SLOW)],
)
def test_intervals_hold_the_mean_score_as_often_as_they_say(name, num_samples):
    # samples of 300 points; the target is what they score on average
    rng = np.random.default_rng(1)
    found = [intervals(*draw(rng, 300), metrics=[name]) for _ in range(num_samples)]
    ((key, _),) = found[0][0].items()
    target = np.mean([scores[key] for scores, _ in found])
    held = np.mean([ends[key][0] <= target <= ends[key][1] for _, ends in found])
    error = np.sqrt(0.95 * 0.05 / num_samples)
    assert 0.95 - 4 * error < held


@pytest.mark.filterwarnings("ignore:.*")
def test_parts_that_a_half_has_not_have_no_interval():
    factors = np.random.default_rng(0).integers(0, 3, (300, 2))
    codes = factors + 0.1 * np.random.default_rng(1).normal(size=factors.shape)
    scores, ends = intervals(codes, factors, metrics=["probes"], halves=2)
    assert np.isfinite(ends["probes"]["linear/10"]).all()
    assert np.isnan(ends["probes"]["linear/200"]).all()
    assert scores["probes"].keys() == ends["probes"].keys()
