import math
from decimal import Decimal

import numpy as np
import pytest
import torch
from torch import nn

from autobeta import registry
from autobeta.models import (
    VAE,
    Bernoulli,
    ContinuousBernoulli,
    DiagonalGaussian,
    Gaussian,
    Laplace,
    LearnedSigmaGaussian,
    OptimalSigmaGaussian,
    entropy,
)

NETWORKS = registry.available("models/networks")


def make(network="conv64", shape=(64, 64, 1), num_latents=10):
    module = registry.load("models/networks", network)
    encoder, decoder = module.encoder(shape, num_latents), module.decoder(shape, num_latents)
    return VAE(encoder, decoder, Bernoulli())


def test_kl_equals_quadrature():
    mean, logvar = torch.tensor([[0.7]]).double(), torch.tensor([[-0.9]]).double()
    z = torch.linspace(-12, 12, 20_001).double()[:, None]
    posterior = DiagonalGaussian(mean, logvar)
    q = posterior.log_density(z)
    p = DiagonalGaussian(torch.zeros(1, 1).double(), torch.zeros(1, 1).double()).log_density(z)
    integral = torch.trapezoid((q.exp() * (q - p))[:, 0], z[:, 0])
    assert posterior.kl().item() == pytest.approx(integral.item(), rel=1e-8)


def test_samples_have_the_posterior_s_moments():
    n = 40_000
    posterior = DiagonalGaussian(torch.full((n, 1), 1.5), torch.full((n, 1), math.log(0.25)))
    z = posterior.rsample()
    assert abs(z.mean().item() - 1.5) < 5 * 0.5 / math.sqrt(n)
    assert abs(z.var().item() - 0.25) < 5 * 0.25 * math.sqrt(2 / n)


def test_bernoulli_sums_cross_entropy_over_pixels():
    x = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    p = torch.tensor([0.9, 0.2, 0.5, 0.6]).view(1, 1, 2, 2)
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.5) + math.log(0.4))
    assert Bernoulli().nll(torch.logit(p), x).item() == pytest.approx(expected, rel=1e-5)


def test_gaussian_is_half_the_squared_error_over_the_variance():
    x, outputs = torch.rand(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    sse = (outputs - x).square().flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(0.5).nll(outputs, x), sse / (2 * 0.25))


LINKS = {"linear": lambda outputs: outputs, "logistic": torch.sigmoid}


@pytest.mark.parametrize("mean", LINKS)
@pytest.mark.parametrize("kind", [LearnedSigmaGaussian, OptimalSigmaGaussian])
def test_calibrated_gaussian_is_a_density(kind, mean):
    likelihood = kind(mean=mean)
    x, outputs = torch.rand(5, 1, 8, 8), torch.randn(5, 1, 8, 8)
    nll = likelihood.nll(outputs, x)
    sigma = likelihood.log_sigma.exp().item()
    normal = torch.distributions.Normal(LINKS[mean](outputs), sigma)
    torch.testing.assert_close(nll, -normal.log_prob(x).flatten(1).sum(1), rtol=1e-4, atol=1e-3)


def test_optimal_sigma_is_the_root_mean_squared_error():
    likelihood = OptimalSigmaGaussian()
    x, outputs = torch.rand(5, 1, 8, 8), torch.randn(5, 1, 8, 8)
    likelihood.nll(outputs, x)
    rmse = (outputs - x).square().mean().sqrt().item()
    # the soft bound at log sigma = -6 adds log(1 + exp(-6 - log sigma))
    assert likelihood.log_sigma.exp().item() == pytest.approx(rmse + math.exp(-6), rel=1e-3)


def test_optimal_sigma_rests_in_eval():
    likelihood = OptimalSigmaGaussian().eval()
    likelihood.nll(torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4))
    assert likelihood.log_sigma.item() == 0


def test_sigma_is_bounded_below():
    likelihood = OptimalSigmaGaussian(log_sigma_min=-2.0)
    outputs = torch.zeros(2, 1, 4, 4)
    assert torch.isfinite(likelihood.nll(outputs, torch.full_like(outputs, 0.5))).all()
    assert likelihood.log_sigma.item() >= -2


def test_sigma_must_be_positive():
    with pytest.raises(ValueError, match="`sigma` must be positive and finite; got 0"):
        Gaussian(0.0)
    with pytest.raises(ValueError, match="`scale` must be positive and finite; got 0"):
        Laplace(0.0)


def test_fixed_densities_are_those_of_torch_up_to_constants():
    x, outputs = torch.rand(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    oracle = torch.distributions.Normal(outputs, 0.5)
    constant = 16 * (math.log(0.5) + 0.5 * math.log(2 * math.pi))
    expected = -oracle.log_prob(x).flatten(1).sum(1) - constant
    torch.testing.assert_close(Gaussian(0.5).nll(outputs, x), expected)
    oracle = torch.distributions.Laplace(outputs, 2.0)
    expected = -oracle.log_prob(x).flatten(1).sum(1) - 16 * math.log(4.0)
    torch.testing.assert_close(Laplace(2.0).nll(outputs, x), expected)


def test_continuous_bernoulli_is_a_density_on_the_unit_interval():
    likelihood = ContinuousBernoulli()
    x = torch.linspace(0, 1, 20_001, dtype=torch.float64).view(-1, 1, 1, 1)
    for logit in (-6.0, -0.001, 0.0, 0.3, 4.0):
        density = (-likelihood.nll(torch.full_like(x, logit), x)).exp()
        assert torch.trapezoid(density, x.flatten()).item() == pytest.approx(1, abs=1e-6)
        mean = torch.trapezoid(density * x.flatten(), x.flatten()).item()
        outputs = torch.full((1, 1, 1, 1), logit, dtype=torch.float64)
        assert likelihood.mean_image(outputs).item() == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_continuous_bernoulli_has_value_gradient_and_mean_in_closed_form(kind):
    """Of 28 digits; from a logit of 16 on the constant stays."""
    near = 1e-5 if kind is torch.float32 else 1e-9
    for logit in (-300, -40, -17, -0.51, -0.49, -1e-3, 0, 1e-6, 0.2, 0.5, 3, 20, 100):
        exact = Decimal(logit)
        mean = closed_mean(exact)
        outputs = torch.full((1, 1, 1, 1), logit, dtype=kind, requires_grad=True)
        assert ContinuousBernoulli().mean_image(outputs).item() == pytest.approx(mean, abs=near)
        for value in (0.0, 0.3, 1.0):
            x = torch.full_like(outputs, value).detach()
            nll = ContinuousBernoulli().nll(outputs, x)
            (gradient,) = torch.autograd.grad(nll, outputs)
            if abs(logit) < 16:
                assert nll.item() == pytest.approx(closed_nll(exact, value), rel=near, abs=near)
                assert gradient.item() == pytest.approx(mean - value, rel=near, abs=near)
            else:  # bounded below, and drawn back where it is far off
                assert nll.item() >= -math.log(16) - 1e-6
                assert gradient.item() == pytest.approx((logit > 0) - value, abs=1e-6)


def closed_nll(eta, x):
    if eta == 0:
        return 0.0
    size = abs(eta)
    constant = (size * (1 + (-size).exp()) / (1 - (-size).exp())).ln()
    return float((1 + (-size).exp()).ln() + max(eta, 0) - eta * Decimal(x) - constant)


def closed_mean(eta):
    return float(1 / (1 - (-eta).exp()) - 1 / eta) if eta else 0.5


@pytest.mark.parametrize("name", registry.available("models/likelihoods"))
def test_likelihood_of_wild_outputs_is_finite_and_its_image_can_be_shown(name):
    likelihood = registry.load("models/likelihoods", name).build()
    outputs = torch.tensor([-1e4, -30.0, -1e-3, 0.0, 0.2, 1.0, 30.0, 1e4]).view(1, 1, 2, 4)
    outputs.requires_grad_()
    x = torch.tensor([0.0, 1.0, 0.5, 0.5, 0.2, 1.0, 0.0, 1.0]).view(1, 1, 2, 4)
    nll = likelihood.nll(outputs, x)
    assert torch.isfinite(nll).all()
    (gradient,) = torch.autograd.grad(nll.sum(), outputs)
    assert torch.isfinite(gradient).all()
    image = likelihood.mean_image(outputs)
    assert ((image >= 0) & (image <= 1)).all()
    logits = likelihood.mean_logits(outputs)
    assert torch.isfinite(logits).all()
    assert (logits.sigmoid() - image).abs().max() < 0.5 / 255 + 1e-6


@pytest.mark.parametrize("name", ["gaussian", "laplace", "optimalsigma", "learnedsigma"])
def test_mean_far_out_is_still_pulled_back(name):
    """A logistic mean is not: its slope is gone."""
    far = torch.full((1, 1, 2, 2), -200.0, requires_grad=True)
    x = torch.full((1, 1, 2, 2), 0.5)
    pulled = registry.load("models/likelihoods", name).build().nll(far, x).sum()
    assert torch.autograd.grad(pulled, far)[0].abs().min() > 1e-3
    if name != "laplace":
        saturated = registry.load("models/likelihoods", f"{name}_logistic").build()
        assert torch.autograd.grad(saturated.nll(far, x).sum(), far)[0].abs().max() == 0


def test_entropy_is_the_least_that_a_bernoulli_costs():
    x = torch.rand(3, 1, 4, 4)
    torch.testing.assert_close(Bernoulli().nll(torch.logit(x), x), entropy(x))
    assert entropy(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)).item() == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("network", NETWORKS)
def test_network_returns_images_of_the_shape_it_takes(network, size, channels):
    model = make(network, (size, size, channels), 4)
    x = torch.rand(2, channels, size, size)
    output = model(x)
    assert output.outputs.shape == x.shape
    assert output.z.shape == (2, 4)
    assert model.decode(output.z).min() >= 0


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_published_networks_have_the_published_sizes():
    # weights and biases of the layers as listed in the authors' code, 64 x 64 x 1, 10 latents
    def conv(i, o, k):
        return i * o * k * k + o

    halves = conv(1, 32, 4) + conv(32, 32, 4) + conv(32, 64, 4) + conv(64, 64, 4)
    encoder = halves + conv(64, 256, 4) + conv(256, 20, 1)
    doubles = conv(64, 64, 4) + conv(64, 32, 4) + conv(32, 32, 4) + conv(32, 1, 4)
    decoder = conv(10, 256, 1) + conv(256, 64, 4) + doubles
    model = make()
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)

    dense = conv(512, 256, 1) + conv(256, 256, 1) + conv(256, 20, 1)
    model = make("burgess")
    assert count(model.encoder) == conv(1, 32, 4) + 3 * conv(32, 32, 4) + dense


def test_initial_weights_are_kaiming_normal_with_zero_biases():
    model = make()
    layer = model.encoder.network[8]
    assert isinstance(layer, nn.Conv2d)
    fan_in = 64 * 16
    deviation = math.sqrt(2 / fan_in)
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert layer.bias.abs().max() == 0


@pytest.mark.parametrize("network", ["conv64", "burgess"])
@pytest.mark.parametrize("shape", [(48, 48, 1), (64, 32, 1)])
def test_unfit_image_size_is_refused_and_the_mlp_takes_it(network, shape):
    with pytest.raises(ValueError, match=f"got {shape[0]} x {shape[1]}.* take the mlp"):
        make(network, shape)
    assert make("mlp", shape)(torch.rand(2, 1, *shape[:2])).outputs.shape == (2, 1, *shape[:2])


def test_one_latent_is_enough():
    model = make(shape=(32, 32, 1), num_latents=1)
    assert np.isfinite(model(torch.rand(1, 1, 32, 32)).posterior.kl().sum().item())
