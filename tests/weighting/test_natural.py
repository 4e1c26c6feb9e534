import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta import registry
from autobeta.methods import Facts, lvae
from autobeta.methods.lvae import constant_cost
from autobeta.objectives import Elbo
from autobeta.weighting import NaturalWeights, effective_weights, fixed_point

pytestmark = pytest.mark.usefixtures("unchecked")


def terms(reconstruction, kl):
    return {
        "reconstruction": torch.tensor(float(reconstruction), requires_grad=True),
        "kl": torch.as_tensor(kl).float().requires_grad_(),
    }


def followed(weighting, *levels, start=0):
    """beta after each step of (reconstruction, kl, steps)."""
    betas, step = [], start
    for reconstruction, kl, steps in levels:
        for _ in range(steps):
            weighting(terms(reconstruction, kl), step)
            betas.append(weighting.beta.clone())
            step += 1
    return torch.stack(betas)


@pytest.mark.parametrize("regulariser", ["log", "log1p"])
@given(cost=st.floats(1e-3, 1e4), s=st.floats(1e-3, 1e4), rate=st.floats(1e-3, 1))
def test_a_step_is_the_gradient_in_the_metric_of_a_variance(regulariser, cost, s, rate):
    """s <- s - rate (2 s^2) d/ds [c / (2 s) + r(s)], for log1p half of it."""
    weighting = NaturalWeights(regulariser=regulariser, rate=rate).double()
    variance, c = torch.tensor([s, cost], dtype=torch.float64)
    variance.requires_grad_()
    penalty = 0.5 * variance.log() if regulariser == "log" else variance.log1p()
    (gradient,) = torch.autograd.grad(c / (2 * variance) + penalty, variance)
    factor = 1.0 if regulariser == "log" else 0.5
    expected = s - factor * rate * 2 * s**2 * gradient.item()
    found = weighting._step(variance.detach(), c).item()
    assert found == pytest.approx(max(expected, 1e-6), rel=1e-9, abs=1e-9 * max(s, cost))


@pytest.mark.parametrize("regulariser", ["log", "log1p"])
@given(cost=st.floats(1e-3, 1e4), s=st.floats(1e-3, 1e4), rate=st.floats(1e-3, 1))
def test_a_step_goes_towards_the_fixed_point_and_not_past_it(regulariser, cost, s, rate):
    weighting = NaturalWeights(regulariser=regulariser, rate=rate).double()
    before, c = torch.tensor([s, cost], dtype=torch.float64)
    after, goal = weighting._step(before, c), fixed_point(c, regulariser)
    assert abs(after - goal) <= abs(before - goal) * (1 + 1e-9) + 1e-9
    assert (after - goal) * (before - goal) >= -1e-9 * goal**2


def test_the_balance_is_that_of_the_fixed_points_in_any_unit():
    for regulariser, unit in (("log", 4096.0), ("log1p", 1.0)):
        weighting = NaturalWeights(
            regulariser=regulariser, unit=unit, rate=0.1, wait="never", floor=1.0
        )
        beta = followed(weighting, (36.6, 27.0, 1000))[-1].item()
        costs = torch.tensor([36.6 / unit, 27.0])
        reconstruction, kl = fixed_point(costs, regulariser)
        assert beta == pytest.approx((unit * reconstruction / kl).item(), rel=1e-2)


def test_from_far_away_the_gap_of_a_moving_average_closes_at_the_stated_rate():
    weighting = NaturalWeights(rate=0.01, beta_initial=4.0, wait="never")
    followed(weighting, (80.0, 10.0, 1))  # s_r is at 80, s_k at 80 / 4 = 20, and goes to 10
    followed(weighting, (80.0, 10.0, 70), start=1)
    after = 10 + (20 - 10) * (1 - 0.01) ** 70
    assert weighting.variance_kl.item() == pytest.approx(after, rel=1e-4)
    assert weighting.beta.item() == pytest.approx(80 / after, rel=1e-4)


def test_nothing_is_left_of_five_hundred_huge_terms_but_the_stated_share():
    weighting = NaturalWeights(rate=0.01, wait="never")
    followed(weighting, (2800.0, 10.0, 500), (50.0, 10.0, 300))
    expected = 50 + (2800 - 50) * (1 - 0.01) ** 300
    assert weighting.variance_reconstruction.item() == pytest.approx(expected, rel=1e-3)
    followed(weighting, (50.0, 10.0, 700), start=800)
    assert weighting.variance_reconstruction.item() == pytest.approx(50.0, rel=5e-3)


def test_beta_rises_only_while_the_reconstruction_is_at_its_lowest():
    weighting = NaturalWeights(rate=0.01, window=10)
    falling = torch.cat(
        [followed(weighting, (r, 5.0, 1), start=100 - r) for r in range(100, 50, -1)]
    )
    assert falling[-1] > falling[1] > 1.0
    betas = followed(weighting, (60.0, 1.0, 2000), start=50)  # the code is given up
    assert betas[-1] <= falling[-1] * (1 + 1e-5)
    free = NaturalWeights(rate=0.01, window=10, wait="never")
    assert followed(free, (60.0, 1.0, 2000))[-1] == pytest.approx(60.0, rel=1e-3)


@given(
    costs=st.lists(st.tuples(st.floats(1, 500), st.floats(0.01, 50)), min_size=2, max_size=30),
    rate=st.floats(1e-3, 1),
)
def test_a_rise_without_a_new_lowest_never_happens(costs, rate):
    weighting, before, lowest = NaturalWeights(rate=rate, window=3), None, math.inf
    for step, (reconstruction, kl) in enumerate(costs):
        weighting(terms(reconstruction, kl), step)
        if before is not None and weighting.level > lowest:
            assert (weighting.beta <= before * (1 + 1e-5)).all()
        before, lowest = weighting.beta.clone(), min(lowest, weighting.level.item())


@pytest.mark.parametrize("wait", ["explained", "records"])
@pytest.mark.parametrize("constant", [500.0, 400.0, None])
def test_a_rise_is_free_once_all_but_an_eighth_is_explained(wait, constant):
    weighting = NaturalWeights(rate=0.01, window=10, wait=wait, constant=constant)
    followed(weighting, (500.0, 20.0, 100), (40.0, 10.0, 300), start=0)
    betas = followed(weighting, (55.0, 10.0, 600), start=400)  # never at its lowest
    free = wait == "explained" and constant == 500.0  # 55 is 0.11 of it, and 0.1375 of 400
    assert betas[-1] == pytest.approx(5.5 if free else betas[0].item(), rel=0.02)


def facts(likelihood, images):
    likelihood = registry.load("models/likelihoods", likelihood).build()
    return Facts(
        num_latents=3,
        num_train=12,
        image_shape=(8, 8, 1),
        num_steps=100,
        likelihood=likelihood,
        images=images,
    )


@pytest.mark.parametrize(
    ("likelihood", "cost"),
    [
        ("bernoulli", 64 * (math.log(5) - 0.8 * math.log(4))),  # the entropy of a fifth
        ("gaussian", 0.5 * 64 * 0.2 * 0.8),
        ("gaussian_logistic", 0.5 * 64 * 0.2 * 0.8),
        ("laplace", 64 * 0.2),  # of black: the mean costs 64 * 2 * 0.2 * 0.8
    ],
)
def test_a_constant_image_costs_what_the_best_of_its_kind_does(likelihood, cost):
    x = torch.zeros(500, 1, 8, 8)
    x[::5] = 1.0
    given = facts(likelihood, lambda count: x[:count])
    assert constant_cost(given, Elbo(relative=True)) == pytest.approx(cost, rel=1e-4)
    weighting = registry.load("methods", "lvae").build(lvae.Config(), given).weighting
    assert weighting.explained == pytest.approx(0.119 * cost, rel=1e-4)


@pytest.mark.parametrize(
    ("likelihood", "images"),
    [
        ("bernoulli", None),
        ("continuousbernoulli", lambda count: torch.rand(count, 1, 8, 8)),
        ("bernoulli", lambda count: torch.ones(count, 1, 8, 8)),  # nothing is left to explain
    ],
)
def test_where_no_constant_image_costs_anything_a_rise_is_earned(likelihood, images):
    given = facts(likelihood, images)
    assert constant_cost(given, Elbo(relative=True)) in (None, pytest.approx(0, abs=1e-3))


@pytest.mark.parametrize("first", [(math.nan, 20.0), (50.0, math.nan), None])
def test_after_a_warmup_that_could_not_be_read_they_begin_at_the_first_batch(first):
    plain, late = (NaturalWeights(warmup=w, wait="never") for w in (0, 100))
    for step in range(100 if first else 0):
        late(terms(*first), step)
    betas = [followed(weighting, (50.0, 20.0, 30), start=100) for weighting in (plain, late)]
    torch.testing.assert_close(*betas)
    assert late.variance_reconstruction.item() == pytest.approx(50)


def test_the_floor_holds_from_the_first_step():
    weighting = NaturalWeights(beta_initial=100.0, floor=1.0, wait="never")
    betas = followed(weighting, (50.0, 20.0, 3))
    assert weighting.variance_kl.item() >= 1
    assert betas[0].item() == pytest.approx(50)  # 50 / 1, not 50 / 0.5


@pytest.mark.parametrize("warmup", [0, 10])
def test_the_weights_begin_at_the_first_step_that_can_be_read(warmup):
    plain, late, odd = (NaturalWeights(warmup=warmup) for _ in range(3))
    steps = (500.0, 20.0, 300)
    expected = followed(plain, steps)[-1].item()
    assert followed(late, steps, start=1)[-1].item() == pytest.approx(expected, rel=0.01)
    if warmup:
        followed(odd, (500.0, 20.0, warmup))
    odd(terms(math.nan, 20.0), warmup)
    after = followed(odd, (500.0, 20.0, 300), start=warmup + 1)[-1].item()
    assert after == pytest.approx(expected, rel=0.05)


def test_beta_falls_at_any_time():
    weighting = NaturalWeights(rate=0.01, beta_initial=8.0)
    assert followed(weighting, (10.0, 10.0, 1), (20.0, 20.0, 600))[-1] == pytest.approx(
        1, rel=0.02
    )


def test_each_latent_has_its_own_weight():
    weighting = NaturalWeights(num_weights=3, rate=0.1, wait="never", floor=0.5)
    kl = torch.tensor([0.1, 2.0, 8.0])
    for step in range(500):
        found = terms(40.0, kl)
        loss = weighting(found, step)
    weights = effective_weights(loss, found)
    torch.testing.assert_close(weights["kl"], torch.tensor([80.0, 20.0, 5.0]), rtol=1e-3, atol=0)
    assert weights["reconstruction"].item() == 1.0


def test_warmup_holds_beta_and_then_starts_there_or_at_the_fixed_point():
    for start, expected in (("ones", 2.0), ("fixed_point", 3.0)):
        weighting = NaturalWeights(warmup=10, start=start, beta_initial=2.0, wait="never")
        for step in range(10):
            found = terms(90.0 if step >= 5 else 1000.0, 30.0)
            loss = weighting(found, step)
            assert loss.item() == pytest.approx(found["reconstruction"].item() + 60.0)
        weighting(terms(90.0, 30.0), 10)
        assert weighting.variance_reconstruction.item() == pytest.approx(90.0)
        assert weighting.beta.item() == pytest.approx(expected)


def test_eval_moves_nothing_and_has_the_last_beta():
    weighting = NaturalWeights(beta_initial=2.0, rate=0.1)
    weighting.eval()
    assert weighting(terms(30.0, 20.0), 0).item() == 70.0
    weighting.train()
    followed(weighting, (30.0, 20.0, 5))
    before = {name: tensor.clone() for name, tensor in weighting.state_dict().items()}
    weighting.eval()
    weighting(terms(1.0, 1.0), 5)
    assert all(torch.equal(before[n], t) for n, t in weighting.state_dict().items())


def test_a_batch_that_is_not_finite_moves_nothing():
    weighting = NaturalWeights(rate=0.1)
    followed(weighting, (30.0, 20.0, 5))
    before = {name: tensor.clone() for name, tensor in weighting.state_dict().items()}
    weighting(terms(math.nan, 20.0), 5)
    assert all(torch.equal(before[n], t) for n, t in weighting.state_dict().items())


def test_it_has_no_parameters_and_the_loss_has_no_gradient_of_its_own():
    weighting = NaturalWeights()
    found = terms(30.0, 20.0)
    weighting(found, 0).backward()
    assert not list(weighting.parameters())
    assert found["reconstruction"].grad.item() == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regulariser": "square"}, r"`regulariser` must be one of .*; got 'square'"),
        ({"start": "random"}, r"`start` must be one of .*; got 'random'"),
        ({"wait": "long"}, r"`wait` must be one of explained, records, never; got 'long'"),
        ({"rate": 2.0}, r"`rate` must be in \[0, 1\]; got 2"),
        ({"unit": 0.0}, r"`unit` must be positive and finite; got 0"),
        ({"floor": -1.0}, r"`floor` must be at least 0; got -1"),
        ({"beta_initial": 0.0}, r"`beta_initial` must be in .*; got 0"),
        ({"constant": 0.0}, r"`constant` must be positive and finite; got 0"),
        ({"constant": math.nan}, r"`constant` must be positive and finite; got nan"),
        ({"window": 0}, r"`window` must be in .*; got 0"),
        ({"num_weights": 0}, r"`num_weights` must be at least 1; got 0"),
        ({"warmup": 1.5}, r"`warmup` must be a whole number at least 0; got 1.5"),
        ({"warmup": True}, r"`warmup` must be a whole number at least 0; got True"),
        ({"warmup": None}, r"`warmup` must be a whole number at least 0; got None"),
        ({"constant": "3"}, r"`constant` must be a number positive and finite; got '3'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_setting_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NaturalWeights(**options)


def test_terms_of_another_size_are_refused():
    with pytest.raises(
        ValueError, match=r"`terms\['kl'\]` must have 1 values, one for each weight"
    ):
        NaturalWeights()(terms(30.0, [1.0, 2.0]), 0)
