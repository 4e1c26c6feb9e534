"""Scores whose value follows from the code."""

import itertools

import numpy as np
import pytest

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
)
from autobeta.registry import available, load

NARROW = -20.0  # log-variance of a posterior far narrower than a bin


def narrow(metric):
    """A metric of the posterior, for posteriors that are almost points."""
    return lambda c, f: metric(c, f, logvars=np.full(np.shape(c), NARROW))


def same_points(metric, part=None):
    """A metric that fits, tested on the points it is fitted to; one of its parts."""

    def value(codes, factors):
        found = metric(codes, factors, test=(codes, factors))
        return found if part is None else found[part]

    return value


def probes_at_600(codes, factors, test):
    return probes(codes, factors, test=test, num_labels=(600,))


METRICS = {
    "mig": mig,
    "rmig": narrow(rmig),
    "chenmig": narrow(chenmig),
    "jemmig": jemmig,
    "dcimig": dcimig,
    "modularity": modularity,
    "explicitness": same_points(explicitness),
    "infomec modularity": lambda c, f: infomec(c, f)[0],
    "infomec compactness": lambda c, f: infomec(c, f)[1],
    "infomec explicitness": lambda c, f: infomec(c, f)[2],
    "dci disentanglement": same_points(dci, 0),
    "dci completeness": same_points(dci, 1),
    "dci informativeness": same_points(dci, 2),
    "dci[rf] disentanglement": same_points(dci_rf, 0),
    "dci[rf] completeness": same_points(dci_rf, 1),
    "dci[lasso] disentanglement": same_points(dci_lasso, 0),
    "dci[lasso] completeness": same_points(dci_lasso, 1),
    "sap": same_points(sap),
    "factorvae": factorvae,
    "betavae": betavae,
    "irs": irs,
    "mcc": mcc,
    "mcc[spearman]": mcc_spearman,
    "probes linear": same_points(probes_at_600, "linear/600"),
    "probes boosted": same_points(probes_at_600, "boosted/600"),
    "gaussian_total_correlation": gaussian_total_correlation,
    "gaussian_wasserstein": lambda c, f: gaussian_wasserstein(c)[1],
}

SIZES = np.array([3, 4, 5])
LN20, ENTROPY = np.log(20), np.log(SIZES)
GUESS = np.mean(1 / SIZES)
TWO_OF_SIX = 1 - np.log(2) / np.log(6)
UNENTROPIC_OF_3 = LN20 / (ENTROPY[0] + LN20)
UNENTROPIC = np.mean(LN20 / (ENTROPY + LN20))

# Score of a perfect code (one latent per factor of 3, 4 and 5 values, all combinations equally
# often), of the same with each latent twice, of noise (the range it must lie in, for 600 points),
# and of a constant code. None: no value follows from the definition.
VALUES = {
    "mig": (1, 0, (0, 0.03), 0),
    "rmig": (1, 0, (0, 0.05), 0),
    "chenmig": (1, 0, (0, 0.03), 0),
    "jemmig": (1, UNENTROPIC, (0.05, 0.2), UNENTROPIC),
    "dcimig": (1, 1, (0, 0.03), 0),
    "modularity": (1, 1, (0.3, 0.9), 0),
    "explicitness": (1, 1, (0.5, 0.62), 0.5),
    "infomec modularity": (1, 1, (0, 1), 0),
    "infomec compactness": (1, (1 / 2 - 1 / 6) / (1 - 1 / 6), (0, 1), 0),
    "infomec explicitness": (1, 1, (0, 0.05), 0),
    "dci disentanglement": (1, 1, (0, 0.05), 0),
    "dci completeness": (1, TWO_OF_SIX, (0, 0.05), 0),
    "dci informativeness": (1, 1, (0.5, 1), GUESS),  # on its own points it fits noise
    "dci[rf] disentanglement": (1, 1, (0, 0.1), 0),
    "dci[rf] completeness": (1, TWO_OF_SIX, (0, 0.1), 0),
    "dci[lasso] disentanglement": (1, 1, None, 0),
    "dci[lasso] completeness": (1, 1, None, 0),  # of equal latents lasso takes the first
    "sap": (None, 0, (0, 0.1), 0),
    "factorvae": (1, 1, (1 / 3 - 0.04, 0.5), 0),
    "betavae": (1, 1, (1 / 3 - 0.04, 0.5), 0),
    "irs": (1, 1, (0.1, 0.5), 0),
    "mcc": (1, 1, (0, 0.12), 0),
    "mcc[spearman]": (1, 1, (0, 0.12), 0),
    "probes linear": (1, 1, (GUESS, 0.4), GUESS),
    "probes boosted": (1, 1, (0.5, 1), GUESS),  # on its own points it fits noise
    "gaussian_total_correlation": (0, np.inf, (0, 0.02), 0),
    # a pair of equal latents has eigenvalues 2 and 0: 2 (2 - sqrt 2) of a variance of 2
    "gaussian_wasserstein": (0, 2 - np.sqrt(2), (0, 0.02), 0),
}
# how far a draw or the noise that breaks ties may move a score
TOLERANCE = {
    "dci": 1e-3,
    "dci[rf] completeness": 0.03,
    "infomec": 0.02,
    "gaussian_wasserstein": 1e-8,
}

# What does not fall as noise is added to a perfect code: scores of the codes alone, and ratios of
# two errors of estimation, or of the few weights that lasso leaves.
NOT_MONOTONE = {
    "gaussian_total_correlation",
    "gaussian_wasserstein",
    "infomec modularity",
    "infomec compactness",
    "dci[lasso] disentanglement",
    "dci[lasso] completeness",
}


def close(name, value):
    found = [width for start, width in TOLERANCE.items() if name.startswith(start)]
    return pytest.approx(value, abs=max(found, default=1e-9))


def test_every_metric_has_its_values():
    assert {name.split()[0].split("[")[0] for name in VALUES} == set(available("metrics"))
    assert set(VALUES) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_code_has_its_score(name, identity, grid):
    expected, found = VALUES[name][0], METRICS[name](identity, grid)
    assert found == close(name, expected) if expected is not None else 0.3 < found < 0.6


@pytest.mark.parametrize("name", METRICS)
def test_a_duplicated_code_has_its_score(name, identity, grid):
    assert METRICS[name](np.hstack([identity, identity]), grid) == close(name, VALUES[name][1])


@pytest.mark.parametrize("name", METRICS)
def test_noise_has_its_score(name, grid):
    found = METRICS[name](np.random.default_rng(0).normal(size=(len(grid), 4)), grid)
    low, high = VALUES[name][2] or (0, 1)
    assert low <= found <= high


@pytest.mark.parametrize("name", METRICS)
def test_a_constant_code_has_its_score(name, grid):
    codes = np.full((len(grid), 4), 0.1, dtype=np.float32)
    assert METRICS[name](codes, grid) == pytest.approx(VALUES[name][3], abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(METRICS) - NOT_MONOTONE))
def test_a_score_falls_as_noise_is_added(name, identity, grid):
    rng = np.random.default_rng(0)
    levels = [identity + std * rng.normal(size=identity.shape) for std in (0, 0.3, 1, 3, 30)]
    found = [METRICS[name](codes, grid) for codes in levels]
    assert found[-1] < found[0]
    # where a score rests, at either end of its range, draws may move it
    assert all(b < a + 0.02 for a, b in itertools.pairwise(found))


def test_a_perfect_code_has_all_importance_on_its_factor(identity, grid):
    for codes in (identity, np.insert(identity, 1, 7.0, axis=1)):
        for metric in (dci, dci_rf):
            assert metric(codes, grid, test=(codes, grid)) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("metric", [dci, dci_rf, dci_gbt])
def test_a_copy_with_noise_of_its_own_takes_half_of_the_importance(metric, identity, grid):
    rng = np.random.default_rng(0)
    codes = np.hstack([identity, identity]) + 0.1 * rng.normal(size=(len(grid), 6))
    scores = metric(codes, grid, test=(codes, grid))
    assert scores.disentanglement > 0.9
    assert scores.completeness == pytest.approx(TWO_OF_SIX, abs=0.1)


def test_sap_of_binary_factors_is_one_less_a_guess():
    v = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (50, 1))
    assert sap(2.0 * v - 1, v, test=(2.0 * v - 1, v)) == 1 - 1 / 2


# A constant latent counts as 0 in modularity, is one more latent that a factor does not need to
# completeness, and moves the seeded draws of forests.
MOVED = {"modularity", "dci[rf] disentanglement"} | {n for n in METRICS if "completeness" in n}
UNMOVED = sorted(set(METRICS) - MOVED)


@pytest.mark.parametrize("name", UNMOVED)
def test_a_constant_latent_changes_nothing(name, mixed):
    codes, factors = mixed
    before = METRICS[name](codes[:, :5], factors)
    after = METRICS[name](np.insert(codes[:, :5], 5, 0.5, axis=1), factors)
    assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("std", [0.0, 1e-9, 0.01, 0.049])
def test_factorvae_leaves_out_a_latent_that_hardly_moves_beside_its_noise(std, identity, grid):
    # one spike: nearly all batches find it at rest, and it would win their votes
    spike = np.zeros((len(grid), 1))
    spike[17] = std * len(grid) / np.sqrt(len(grid) - 1)
    assert spike.std() == pytest.approx(std)
    noise = 0.01 * np.random.default_rng(0).normal(size=identity.shape)
    codes = np.hstack([spike, identity + noise])
    logvars = np.full(codes.shape, -4.0)
    logvars[:, 0] = 0  # as the prior's
    assert factorvae(codes, grid, logvars=logvars) == 1
    if std > 0:
        assert factorvae(codes, grid, logvars=logvars, dead_fraction=0.0) < 0.5


SCALES = np.array([1e-3, 0.1, 50.0])


def test_votes_for_a_perfect_code_do_not_depend_on_the_scales_of_its_latents(identity, grid):
    logvars = np.full(identity.shape, -4.0)
    for metric in (factorvae, betavae):
        assert metric(SCALES * identity, grid) == metric(identity, grid) == 1
        scaled = metric(SCALES * identity, grid, logvars=logvars + 2 * np.log(SCALES))
        assert scaled == metric(identity, grid, logvars=logvars) == 1


@pytest.mark.parametrize(("metric", "part"), [(dci, 0), (modularity, None)])
def test_dead_latents_take_no_part_where_log_variances_tell_them(metric, part, identity, grid):
    rng = np.random.default_rng(0)
    live = identity + 0.5 * rng.normal(size=identity.shape)
    dead = 0.01 * rng.normal(size=(len(grid), 5))
    codes, logvars = np.hstack([live, dead]), np.repeat([[-1.5, 0.0]], len(grid), axis=0)
    logvars = np.repeat(logvars, [3, 5], axis=1)

    def value(codes, **options):
        found = metric(codes, grid, **options)
        return found if part is None else found[part]

    constant = value(np.hstack([live, 0 * dead]) if part is not None else live)
    assert value(codes, logvars=logvars) == pytest.approx(constant, abs=0.02)
    assert value(codes) != pytest.approx(constant, abs=0.02)
    assert 0 <= value(dead, logvars=logvars[:, 3:]) < 1e-9


def test_masses_whose_product_vanishes_have_their_information():
    # all of dSprites' orientations and five sizes, as Do and Tran's code has it
    v = np.stack([np.repeat(np.arange(40), 5), np.tile(np.arange(5), 40)], axis=1)
    codes = (v - v.mean(axis=0)) / v.std(axis=0) * 0.3
    for std, expected in ((0.0524, 0.697101), (0.02, None), (1e-9, None)):
        found = rmig(codes, v, logvars=np.full(codes.shape, 2 * np.log(std)))
        assert found == pytest.approx(expected, abs=1e-6) if expected else 0 < found <= 1


@pytest.mark.parametrize("logvar", [-1e6, -700.0, 700.0, 1e6])
@pytest.mark.parametrize("metric", [rmig, chenmig])
def test_posteriors_of_any_width_have_a_score(metric, logvar, identity, grid):
    found = metric(identity, grid, logvars=np.full(identity.shape, logvar))
    assert found == pytest.approx(1 if logvar < 0 else 0, abs=1e-9)


@pytest.mark.parametrize("noise", [1e-3, 1e-6, 1e-10])
def test_the_total_correlation_of_a_near_copy_is_that_of_its_correlation(noise):
    z, e = np.linalg.qr(np.random.default_rng(0).normal(size=(1000, 3)) - [1, 0, 0])[0].T[1:]
    z, e = z - z.mean(), e - e.mean()
    e -= z * (z @ e) / (z @ z)
    e *= np.linalg.norm(z) / np.linalg.norm(e)
    found = gaussian_total_correlation(np.column_stack([z, z + noise * e]))
    # the correlation is 1 / sqrt(1 + noise^2)
    assert found == pytest.approx(0.5 * np.log1p(1 / noise**2), rel=1e-5)


def test_a_sum_of_latents_makes_the_total_correlation_infinite_in_either_precision():
    z = np.random.default_rng(0).normal(size=(500, 2))
    for kind in (np.float32, np.float64):
        table = z.astype(kind)
        total = np.column_stack([table, 2 * table[:, 0] - table[:, 1] + kind(1)])
        assert gaussian_total_correlation(total) == np.inf


@pytest.mark.whole
def test_lasso_hardly_counts_the_factors_that_are_not_encoded():
    # two factors of five in a latent each, eight latents of noise, as Eastwood and Williams weigh
    scores = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        factors = rng.integers([3, 6, 40, 32, 32], size=(2000, 5))
        noise = rng.normal(size=(2000, 8))
        codes = np.hstack([factors[:, 2:4] / 10 + 0.1 * rng.normal(size=(2000, 2)), noise])
        scores.append(dci_lasso(codes, factors).disentanglement)
    assert np.mean(scores) > 0.9


SLOW_GBT = pytest.param(dci_gbt, marks=pytest.mark.slow)


@pytest.mark.parametrize("metric", [dci_lasso, dci, SLOW_GBT, sap, explicitness])
def test_the_order_of_rows_plays_no_part_where_nothing_is_drawn(metric):
    # of noise lasso leaves a weight or two, and which ones hangs on its folds
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(300, 6)), rng.integers([3, 6, 8], size=(300, 3))
    test = codes[200:], factors[200:]
    found = metric(codes[:200], factors[:200], test=test)
    order = rng.permutation(200)
    assert metric(codes[order], factors[order], test=test) == pytest.approx(found, abs=1e-6)


def test_lasso_weighs_a_factor_alike_whatever_unit_it_has(points):
    codes, factors = points
    assert dci_lasso(codes, factors * [1, 50]) == pytest.approx(dci_lasso(codes, factors))


def test_sap_does_not_depend_on_where_the_codes_are(points):
    codes, factors = (part[:300].astype(np.float64) for part in points)
    assert sap(codes + 100, factors) == pytest.approx(sap(codes, factors), abs=1e-9)
    assert sap(codes, factors) > 0.1


def test_an_outlier_raises_irs():
    rng = np.random.default_rng(0)
    codes, factors = rng.uniform(-1, 1, size=(10_000, 3)), rng.integers([3, 6], size=(10_000, 2))
    clean = irs(codes, factors)
    codes[0] *= 20
    assert irs(codes, factors) > clean + 0.5


def test_jemmig_takes_of_two_latents_that_tell_all_the_one_that_tells_no_more(identity, grid):
    # a latent of one factor, and one of two factors
    both = identity[:, :1] + 4 * identity[:, 1:2]
    codes = np.hstack([identity[:, :1], both])
    found = jemmig(codes, grid[:, :1])
    assert found == jemmig(codes[:, ::-1], grid[:, :1]) == pytest.approx(UNENTROPIC_OF_3)


def test_a_constant_latent_counts_as_zero_modularity(identity, grid):
    assert modularity(np.insert(identity, 0, 7.0, axis=1), grid) == pytest.approx(3 / 4)


def test_one_wide_latent_silences_others_in_infomec(identity, grid):
    # the authors' rule of a twentieth of the largest range
    wide = np.hstack([identity, 1000 * np.random.default_rng(0).normal(size=(len(grid), 1))])
    assert infomec(wide, grid).modularity < 0.9 < infomec(identity, grid).modularity
    assert infomec(8.0 * identity, grid)[:2] == pytest.approx(infomec(identity, grid)[:2])


def test_infoc_of_one_active_latent_is_one(identity, grid):
    assert infomec(np.insert(identity[:, :1], 1, 7.0, axis=1), grid).compactness == 1


def test_with_one_latent_the_second_best_is_zero(identity, grid):
    one = identity[:, :1]
    assert mig(one, grid[:, :1]) == pytest.approx(1)
    assert narrow(rmig)(one, grid[:, :1]) == pytest.approx(1)
    assert jemmig(one, grid[:, :1]) == pytest.approx(1)
    assert dcimig(one, grid[:, :1]) == pytest.approx(1)
    assert factorvae(one, grid) == pytest.approx(1 / 3, abs=5 * np.sqrt(2 / 9 / 5000))
    assert dci(one, grid, test=(one, grid)).completeness == 1
    assert modularity(one, grid) == pytest.approx(1)
    assert sap(np.insert(one, 1, 7.0, axis=1), grid) == sap(one, grid) > 0


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


def test_irs_is_not_negative_where_values_spread_more_than_the_whole():
    # within a value the point that stands alone is 4/3 from the mean, overall all are 1 from it
    codes = np.array([[-1.0], [-1], [1], [1], [1], [-1]])
    assert irs(codes, np.array([[0], [0], [0], [1], [1], [1]]), quantile=1.0) == 0


def test_no_score_depends_on_how_points_are_divided(mixed, monkeypatch):
    codes, factors = mixed
    for metric, name, value in ((rmig, "_CHUNK", 300), (chenmig, "_ENTRIES", 7000)):
        whole = narrow(metric)(codes, factors)
        monkeypatch.setattr(load("metrics", metric.__name__), name, value)
        assert narrow(metric)(codes, factors) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("metric", [dci, dci_rf, SLOW_GBT, dci_lasso, probes])
def test_no_score_depends_on_the_number_of_jobs(metric, points):
    codes, factors = (part[:200] for part in points)
    assert metric(codes, factors, n_jobs=2) == metric(codes, factors)


@pytest.mark.parametrize("metric", [sap, factorvae, betavae, dci, probes, explicitness])
def test_the_seed_fixes_the_score(metric, mixed):
    codes, factors = mixed[0][:400, :4], mixed[1][:400]
    assert metric(codes, factors, seed=1) == metric(codes, factors, seed=1)
    assert metric(codes, factors, seed=1) != metric(codes, factors, seed=2)


def test_more_labels_buy_more_accuracy_where_there_is_any(grid, identity):
    found = probes(identity, grid, test=(identity, grid), num_labels=(10, 600, 10_000))
    assert set(found) == {
        f"{p}/{n}{k}"
        for p in ("linear", "boosted")
        for n in (10, 600)
        for k in ("", "/0", "/1", "/2")
    }
    for predictor in ("linear", "boosted"):
        assert found[f"{predictor}/10"] < found[f"{predictor}/600"] == 1
        means = [found[f"{predictor}/10/{k}"] for k in range(3)]
        assert found[f"{predictor}/10"] == pytest.approx(np.mean(means))


def test_a_rotation_costs_a_boosted_probe_but_not_a_linear_one(grid, identity):
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    noisy = identity + 0.1 * np.random.default_rng(1).normal(size=identity.shape)
    halves = [(c[::2], grid[::2], c[1::2], grid[1::2]) for c in (noisy, noisy @ rotation)]
    plain, rotated = (probes(a, b, test=(c, d)) for a, b, c, d in halves)
    assert rotated["linear/300"] == pytest.approx(plain["linear/300"], abs=0.02)
    assert rotated["boosted/300"] < plain["boosted/300"] - 0.02


def test_a_latent_tells_of_its_factor_and_by_chance_of_none():
    rng = np.random.default_rng(0)
    factors = np.column_stack([rng.integers(0, 20, (2000, 2)), np.zeros(2000, int)])
    codes = np.column_stack([factors[:, 0] + 0.0, rng.normal(size=2000), np.zeros(2000)])
    shares = information_shares(codes, factors)
    assert shares[0, 0] > 0.95
    assert shares[1:, 0].max() < 0.01
    assert shares[:, 1].max() < 0.01, "without the correction it is 0.03"
    assert shares[:, 2].tolist() == [0, 0, 0]
    assert information_shares(codes, factors[:, 2:]).tolist() == [[0], [0], [0]]


@pytest.mark.parametrize("kind", [np.int8, bool])
def test_information_shares_of_narrow_factors_are_those_of_wide_ones(kind):
    v = np.stack(np.meshgrid([0, 1], [0, 1], range(50)), axis=-1).reshape(-1, 3)[:, :2]
    factors = (v * 200 - 100).astype(np.int8) if kind is np.int8 else v.astype(kind)
    wide = information_shares(v + 0.0, v)
    assert information_shares(v + 0.0, factors).tolist() == wide.tolist()
