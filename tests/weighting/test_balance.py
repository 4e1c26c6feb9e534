"""The theory of docs/lvae.md: the curve R_inf + R_0 exp(-x), x = K / k_0.

Its balance is at (x - 1) exp(-x) = R_inf / R_0, which is `share` here.
"""

import math

import pytest
import torch
from scipy.optimize import brentq

from autobeta.weighting import NaturalWeights

pytestmark = pytest.mark.usefixtures("unchecked")

K0, R0 = 4.0, 100.0


def balance(share, low, high):
    return brentq(lambda x: (x - 1) * math.exp(-x) - share, low, high)


def trained(share, x, *, wait="never", start="fixed_point", rate=0.05, steps=600):
    """K / k_0 and beta where a network that has this curve is trained with the weights."""
    log_k = torch.nn.Parameter(torch.tensor(math.log(x * K0)))
    weighting = NaturalWeights(rate=rate, wait=wait, start=start, floor=0.5, window=20)
    optimizer = torch.optim.Adam([log_k], lr=0.02)
    for step in range(steps):
        k = log_k.exp()
        reconstruction = share * R0 + R0 * torch.exp(-k / K0)
        loss = weighting({"reconstruction": reconstruction, "kl": k}, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return k.item() / K0, weighting.beta.item()


@pytest.mark.whole
def test_the_balance_attracts_beyond_two_scales_and_repels_before():
    share = 0.05
    repelling, attracting = balance(share, 1.0, 2.0), balance(share, 2.0, 20.0)
    for rate in (0.02, 0.2):  # how fast the weights are has no part in it
        for x in (1.1 * repelling, 1.3 * attracting):
            assert trained(share, x, rate=rate)[0] == pytest.approx(attracting, rel=0.05)
        assert trained(share, 0.9 * repelling, rate=rate)[0] < 0.3


def test_there_is_no_balance_where_the_rest_is_over_e_to_the_minus_two():
    assert 0.135 < math.exp(-2) < 0.136
    for share, collapses in ((0.12, False), (0.3, True)):
        x, beta = trained(share, 2.0)
        assert (x < 0.3) == collapses
        assert collapses or beta == pytest.approx(
            (share * R0 + R0 * math.exp(-x)) / (x * K0), rel=0.02
        )


def test_a_rise_that_must_be_earned_does_not_give_up_the_code():
    before = math.log(R0 / K0)  # where beta 1 puts K
    x, beta = trained(0.3, before, wait="records", start="ones")
    assert x == pytest.approx(before, rel=0.05)
    assert beta == pytest.approx(1.0, rel=0.1)
    assert trained(0.3, before, start="ones")[0] < 0.3
