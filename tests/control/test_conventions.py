"""Conversions of beta against gradients of the losses themselves."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from autobeta.control import Convention, convert_beta

VALUES, LATENTS = 12, 3
SQUARED = ("half_squared_error", "squared_error", "gaussian")


def loss(convention, beta, logits, x, kl):
    """The loss as such a program would write it."""
    mean = torch.sigmoid(logits)
    per_value = {
        "bce": lambda: F.binary_cross_entropy(mean, x, reduction="none"),
        "half_squared_error": lambda: 0.5 * (mean - x) ** 2,
        "squared_error": lambda: (mean - x) ** 2,
        "gaussian": lambda: (mean - x) ** 2 / (2 * convention.sigma**2),
    }[convention.distortion]()
    distortion = per_value.mean() if convention.pixels == "mean" else per_value.sum()
    rate = kl.mean() if convention.latents == "mean" else kl.sum()
    return distortion + beta * rate


def direction(convention, beta):
    """Gradient of the loss, scaled to length 1."""
    torch.manual_seed(0)
    logits = torch.randn(VALUES, dtype=torch.float64, requires_grad=True)
    latent = torch.randn(LATENTS, dtype=torch.float64, requires_grad=True)
    x = torch.rand(VALUES, dtype=torch.float64)
    value = loss(convention, beta, logits, x, 0.5 * latent**2)
    gradient = torch.cat(torch.autograd.grad(value, [logits, latent]))
    return gradient / gradient.norm()


def conventions(kinds):
    for kind, pixels, latents in itertools.product(kinds, ("sum", "mean"), ("sum", "mean")):
        sigma = 0.3 if kind == "gaussian" else 1.0
        yield Convention(distortion=kind, pixels=pixels, latents=latents, sigma=sigma)


PAIRS = [
    *itertools.product(conventions(SQUARED), repeat=2),
    *itertools.product(conventions(["bce"]), repeat=2),
]


@pytest.mark.parametrize(("origin", "target"), PAIRS)
def test_both_losses_pull_in_the_same_direction(origin, target):
    beta = convert_beta(0.7, origin, target, num_values=VALUES, num_latents=LATENTS)
    assert torch.allclose(direction(origin, 0.7), direction(target, beta))
    sizes = {"num_values": VALUES, "num_latents": LATENTS}
    assert convert_beta(beta, target, origin, **sizes) == pytest.approx(0.7)


def test_known_conversions():
    """Numbers of public programs: a mean over pixels with the published sum's beta 4."""
    rgb = {"num_values": 64 * 64 * 3, "num_latents": 10}
    mean = Convention(pixels="mean")
    assert convert_beta(4.0, Convention(), mean, **rgb) == pytest.approx(4 / 12_288)
    both = Convention(pixels="mean", latents="mean")
    assert convert_beta(1.0, both, **rgb) == pytest.approx(1228.8)
    sigma = Convention(distortion="gaussian", sigma=0.1)
    half = Convention(distortion="half_squared_error")
    assert convert_beta(1.0, sigma, half, **rgb) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distortion": "mae"}, r"`distortion` must be one of bce, .*; got 'mae'"),
        ({"pixels": "max"}, r"`pixels` must be one of sum, mean; got 'max'"),
        (
            {"distortion": "gaussian", "sigma": 0.0},
            "`sigma` must be positive and finite",
        ),
        ({"sigma": 0.5}, r"`sigma` must be left out unless `distortion` is gaussian; got 0\.5"),
    ],
)
def test_a_convention_that_is_none_is_refused(settings, message):
    made = Convention()
    for name, value in settings.items():
        object.__setattr__(made, name, value)  # past the types, as from a file
    with pytest.raises(ValueError, match=message):
        made.__post_init__()


def test_cross_entropy_and_squared_error_have_no_common_beta():
    with pytest.raises(ValueError, match="must both have bce, or both a squared error"):
        convert_beta(1.0, Convention(distortion="squared_error"), num_values=4, num_latents=1)
    with pytest.raises(ValueError, match="`beta` must be at least 0; got -1"):
        convert_beta(-1.0, Convention(), num_values=4, num_latents=1)
