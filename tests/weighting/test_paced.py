"""Rate annealing against a network simulated by gain and lag."""

import math

import numpy as np
import pytest
import torch
from autobeta_rateanneal import Config, PacedKL, build

from autobeta.methods import Facts
from autobeta.models import Bernoulli
from autobeta.weighting import LogPI, schedules

FACTS = Facts(
    num_latents=10,
    num_train=100,
    image_shape=(64, 64, 1),
    num_steps=10_000,
    likelihood=Bernoulli(),
)

pytestmark = pytest.mark.usefixtures("unchecked")
GAIN, LAG, RATE = 2.0, 12.0, 0.002  # nats per e-fold of beta, steps, nats per step


def make(**options):
    floor = options.pop("floor", schedules.constant(1.0))
    return PacedKL(LogPI(kp=0.05, ki=-0.004), floor, **{"rate": RATE, **options})


def anneal(weighting, num_steps, most=math.inf):
    """KL, beta and pacemaker over the steps; the network can't use more than `most` nats."""
    kl, found = 0.0, []
    for step in range(num_steps):
        terms = {"reconstruction": torch.tensor(50.0), "kl": torch.tensor(kl)}
        weighting(terms, step)
        beta = weighting.pace.beta.item()
        found.append((kl, beta, weighting.pace.target.item()))
        rest = min(most, max(0.0, 8.0 - GAIN * math.log(beta)))
        kl += (1 - math.exp(-1 / LAG)) * (rest - kl)
    return np.array(found).T


def test_kl_grows_at_the_rate_and_the_predicted_distance_behind_the_pacemaker():
    kl, beta, pacemaker = anneal(make(), 3000)
    free = slice(1500, 2500)
    assert beta[free].min() > 1
    assert np.diff(kl[free]).mean() == pytest.approx(RATE, rel=0.01)
    assert (pacemaker - kl)[free] == pytest.approx(RATE / (GAIN * 0.004), rel=0.05)


@pytest.mark.slow
def test_run_at_its_floor_stays_there():
    kl, beta, pacemaker = anneal(make(), 8000)
    assert beta[-1000:] == pytest.approx(1.0, abs=1e-6)
    assert kl[-1] == pytest.approx(8.0, abs=1e-3)  # what beta 1 gives, and nobody set
    assert pacemaker[-1] == pytest.approx(kl[-1] + 1.0, abs=0.01)


@pytest.mark.whole
@pytest.mark.parametrize("lead", [0.25, 0.5])
def test_pacemaker_waits_for_a_network_that_can_use_no_more(lead):
    kl, beta, pacemaker = anneal(make(lead=lead), 6000, most=1.0)
    assert (pacemaker - kl).max() <= lead + RATE
    falls = -np.diff(np.log(beta))
    assert falls.max() <= lead * 0.004 + 1e-5 + 0.05 * RATE
    waiting = (pacemaker - kl > lead - 1e-4)[:-1] & (beta[1:] > 1.001)
    assert waiting.sum() > 200
    assert falls[waiting] == pytest.approx(lead * 0.004, rel=0.05)


@pytest.mark.slow
def test_beta_rises_again_where_kl_outruns_the_pacemaker():
    weighting = make()
    anneal(weighting, 8000)
    for step in range(50):
        terms = {"reconstruction": torch.tensor(50.0), "kl": torch.tensor(30.0)}
        weighting(terms, step)
    assert weighting.pace.beta.item() > 1.5


@pytest.mark.parametrize("name", ["rate", "lead"])
def test_rate_and_lead_must_be_positive(name):
    with pytest.raises(ValueError, match=f"`{name}` must be positive and finite"):
        make(**{name: 0.0})


def test_fractions_must_fit_the_run():
    with pytest.raises(ValueError, match=r"`growing` \+ `returning` must be .*0.9 and 0.2"):
        build(Config(growing=0.9, returning=0.2), FACTS)


@pytest.mark.whole
def test_whole_run_goes_below_one_and_returns_to_it():
    kl, beta, _ = anneal(build(Config(growth=20.0), FACTS).weighting, 10_000)
    assert beta.min() < 0.3
    assert beta[8100:] == pytest.approx(1.0, abs=1e-4)
    assert kl[-1] == pytest.approx(8.0, abs=0.05)
