import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import LearnedWeights, effective_weights, fixed_point

pytestmark = pytest.mark.usefixtures("unchecked")

SIZES = {"reconstruction": 1, "kl": 1}


def terms(reconstruction, kl):
    return {
        "reconstruction": torch.tensor(float(reconstruction), requires_grad=True),
        "kl": torch.tensor(float(kl), requires_grad=True),
    }


def trained(weighting, found, steps=600):
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.05)
    for step in range(steps):
        optimizer.zero_grad()
        weighting(found, step).backward()
        optimizer.step()
    return weighting


@pytest.mark.parametrize("regulariser", ["log", "log1p"])
@given(loss=st.floats(1e-3, 1e4))
def test_fixed_point_is_where_the_gradient_vanishes(regulariser, loss):
    cost = torch.tensor(loss, dtype=torch.float64)
    s = fixed_point(cost, regulariser).clone().requires_grad_()
    penalty = 0.5 * s.log() if regulariser == "log" else s.log1p()
    (cost / (2 * s) + penalty).backward()
    assert abs(s.grad.item() * s.item()) < 1e-9 * max(1, loss)


@pytest.mark.parametrize("unit", [1.0, 64.0])
@pytest.mark.parametrize("regulariser", ["log", "log1p"])
def test_weights_reach_their_fixed_points(regulariser, unit):
    units = {"reconstruction": unit}
    weighting = LearnedWeights(SIZES, regulariser=regulariser, units=units)
    trained(weighting, terms(36.0, 20.0))
    for name, cost in (("reconstruction", 36.0 / unit), ("kl", 20.0)):
        expected = fixed_point(torch.tensor(cost), regulariser).item()
        assert weighting.variance(name).item() == pytest.approx(expected, rel=1e-2)


def test_form_a_gives_the_ratio_of_the_terms_in_any_unit():
    for unit in (1.0, 4096.0):
        weighting = LearnedWeights(SIZES, regulariser="log", units={"reconstruction": unit})
        found = terms(36.6, 27.0)
        trained(weighting, found)
        weights = effective_weights(weighting(found, 3000), found)
        assert (weights["kl"] / weights["reconstruction"]).item() == pytest.approx(
            36.6 / 27.0, rel=2e-2
        )


def test_form_b_depends_on_the_unit():
    """In nats beta is about 1.33, per pixel of a 64 x 64 image far larger."""
    betas = []
    for unit in (1.0, 4096.0):
        cost = torch.tensor([36.6 / unit, 27.0])
        reconstruction, kl = fixed_point(cost, "log1p")
        betas.append((unit * reconstruction / kl).item())
    assert betas[0] == pytest.approx(1.33, abs=0.01)
    assert betas[1] > 10


def test_floor_bounds_the_weight_of_a_vanishing_kl():
    weighting = LearnedWeights(SIZES, floors={"kl": 1.0})
    found = terms(100.0, 1e-4)
    trained(weighting, found)
    weights = effective_weights(weighting(found, 0), found)
    assert weights["kl"].item() <= 0.5


@pytest.mark.parametrize("steps", [range(0, 9, 2), range(6), [0, 2, 3, 7]])
def test_the_fixed_point_is_reached_whatever_the_steps_are_counted_by(steps):
    weighting = LearnedWeights(SIZES, warmup=5, start="fixed_point")
    for step in steps:
        weighting({"reconstruction": torch.tensor(100.0), "kl": torch.tensor(8.0)}, step)
    assert weighting.variance("reconstruction").item() == pytest.approx(100, rel=1e-4)
    assert weighting.variance("kl").item() == pytest.approx(8, rel=1e-4)


def test_warmup_counts_every_term_once_and_then_starts_at_the_fixed_point():
    weighting = LearnedWeights(SIZES, warmup=10, start="fixed_point")
    for step in range(10):
        found = terms(90.0 if step >= 5 else 1000.0, 30.0)
        assert weighting(found, step).item() == pytest.approx(
            found["reconstruction"].item() + 30.0
        )
    found = terms(90.0, 30.0)
    weights = effective_weights(weighting(found, 10), found)
    assert weights["reconstruction"].item() == pytest.approx(1 / 180, rel=1e-4)
    assert weights["kl"].item() == pytest.approx(1 / 60, rel=1e-4)


def test_warmup_measures_nothing_in_eval():
    weighting = LearnedWeights(SIZES, warmup=4, start="fixed_point").eval()
    weighting(terms(90.0, 30.0), 3)
    assert weighting.mean_kl.item() == 0


def test_each_latent_has_its_own_weight():
    weighting = LearnedWeights({"reconstruction": 1, "kl": 3})
    kl = torch.tensor([0.5, 2.0, 8.0], requires_grad=True)
    found = {"reconstruction": torch.tensor(50.0, requires_grad=True), "kl": kl}
    trained(weighting, found)
    weights = effective_weights(weighting(found, 0), found)["kl"]
    torch.testing.assert_close(weights, 1 / (2 * kl.detach()), rtol=2e-2, atol=0)


def test_term_without_a_weight_counts_once():
    weighting = LearnedWeights(SIZES)
    found = terms(10.0, 4.0) | {"extra": torch.tensor(3.0)}
    assert weighting(found, 0).item() == pytest.approx(5.0 + 2.0 + 3.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regulariser": "square"}, r"`regulariser` must be one of .*; got 'square'"),
        ({"start": "random"}, r"`start` must be one of .*; got 'random'"),
        ({"start": "fixed_point", "warmup": 1}, "`warmup` must be at least 2 steps"),
        ({"units": {"kl": 0.0}}, r"`units\['kl'\]` must be positive and finite; got 0"),
        ({"floors": {"kl": -1.0}}, r"`floors\['kl'\]` must be at least 0; got -1"),
        ({"beta_initial": 0.0}, "`beta_initial` must be positive and finite; got 0"),
    ],
)
def test_bad_setting_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedWeights(SIZES, **options)


def test_start_at_ones_gives_beta_one_in_nats():
    weighting = LearnedWeights(SIZES)
    found = terms(2794.0, 0.46)
    weights = effective_weights(weighting(found, 0), found)
    assert math.isclose(weights["kl"].item(), weights["reconstruction"].item())


@pytest.mark.parametrize("unit", [1.0, 4096.0])
def test_beta_starts_where_it_is_asked_to(unit):
    units, floors = {"reconstruction": unit}, {"kl": 1.0}
    weighting = LearnedWeights(
        SIZES, units=units, floors=floors, regulariser="log", warmup=2, beta_initial=8.0
    )
    found = terms(100.0, 10.0)
    for step in (0, 2):
        weights = effective_weights(weighting(found, step), found)
        assert (weights["kl"] / weights["reconstruction"]).item() == pytest.approx(8.0)


def test_beta_needs_both_weights():
    with pytest.raises(ValueError, match="`beta_initial` needs weights of reconstruction and kl"):
        LearnedWeights({"kl": 1}, beta_initial=8.0)


@pytest.mark.whole
def test_adam_remembers_the_first_gradient_and_a_shorter_memory_does_not():
    """The size of an update 500 steps after a start 60 times away, over the learning rate."""
    moved = {}
    for name, betas in (
        ("adam", (0.9, 0.999)),
        ("adam_short", (0.9, 0.9)),
        ("rmsprop", (0.0, 0.9)),
    ):
        weighting = LearnedWeights(SIZES)
        optimizer = torch.optim.Adam(weighting.parameters(), lr=1e-3, betas=betas)
        for step in range(500):
            found = terms(2800.0 if step < 5 else 60.0, 20.0)
            optimizer.zero_grad()
            weighting(found, step).backward()
            eta = weighting.log_variance["reconstruction"]
            before = eta.item()
            optimizer.step()
        moved[name] = (eta.item() - before) / 1e-3
    assert moved["adam"] < 0.3
    assert moved["adam_short"] == pytest.approx(1, abs=0.05)
    assert moved["rmsprop"] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("units", "floors"),
    [({}, {}), ({"kl": 10.0}, {}), ({"reconstruction": 7.0}, {}), ({}, {"reconstruction": 2.0})],
)
def test_it_begins_at_the_beta_that_is_asked_for(units, floors):
    weighting = LearnedWeights(SIZES, units=units, floors=floors, beta_initial=4.0)
    found = terms(36.0, 20.0)
    weights = effective_weights(weighting(found, 0), found)
    assert (weights["kl"] / weights["reconstruction"]).item() == pytest.approx(4.0, rel=1e-5)


def test_a_first_beta_that_a_floor_forbids_is_refused():
    with pytest.raises(ValueError, match=r"`beta_initial` must leave .* floor, 2; got 1\. Raise"):
        LearnedWeights(SIZES, floors={"reconstruction": 2.0}, beta_initial=1.0)


@pytest.mark.whole
def test_a_weight_at_its_bound_returns_when_its_term_does():
    weighting = LearnedWeights(SIZES, floors={"kl": 0.5})
    with torch.no_grad():
        weighting.log_variance["kl"].fill_(-14.0)  # of a latent that was dead for long
    weighting(terms(36.0, 0.1), 0).backward()
    assert weighting.log_variance["kl"].grad.item() == 0  # no further down
    weighting.zero_grad()
    trained(weighting, terms(36.0, 6.0), steps=2000)
    assert weighting.variance("kl").item() == pytest.approx(6.0, rel=0.02)


@pytest.mark.parametrize("sizes", [{}, {"kl": 0}, {"kl": -1}, {"kl": 1.0}, {"kl": True}])
def test_sizes_of_terms_are_whole_numbers_from_one(sizes):
    with pytest.raises(ValueError, match="`sizes` must be how many numbers each term has"):
        LearnedWeights(sizes)
