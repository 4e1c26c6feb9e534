"""Estimators of the KL's parts against sums over all images and a Gaussian case in closed form."""

import itertools
import math
import weakref
from typing import get_args

import numpy as np
import pytest
import torch

from autobeta.models import Bernoulli, DiagonalGaussian, VAEOutput
from autobeta.objectives import SplitKL, split_kl
from autobeta.objectives.total_correlation import Estimator, log_weights

ESTIMATORS = get_args(Estimator)


def posteriors(num, num_latents, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(num, num_latents, generator=generator, dtype=torch.float64)
    logvar = torch.rand(num, num_latents, generator=generator, dtype=torch.float64) - 1
    return DiagonalGaussian(mean, logvar)


def mean_mixture(estimator, densities, batch):
    """Estimate of the mixture at a sample of image 0, averaged over all batches that have it."""
    num = len(densities)
    found = []
    for others in itertools.permutations(range(1, num), batch - 1):
        for place in range(batch):
            order = [*others[:place], 0, *others[place:]]
            weights = log_weights(batch, num, estimator).exp().double()[place]
            found.append(float(weights @ densities[order]))
    return np.mean(found)


def test_the_stratified_mixture_is_right_on_average():
    densities = torch.tensor([3.0, 0.5, 0.25, 1.5, 0.75], dtype=torch.float64)
    for batch in (2, 3, 4):
        assert mean_mixture("stratified", densities, batch) == pytest.approx(
            float(densities.mean()), rel=1e-6
        )


def test_the_weighted_mixture_has_its_known_mean_and_the_strided_is_wrong():
    densities = torch.tensor([3.0, 0.5, 0.25, 1.5, 0.75], dtype=torch.float64)
    num, batch = 5, 3
    rest = float(densities[1:].mean())
    known = (3.0 + (batch - 1) * rest) / (num * batch)
    assert mean_mixture("weighted", densities, batch) == pytest.approx(known, rel=1e-6)
    wrong = mean_mixture("strided", densities, batch)
    assert abs(wrong - float(densities.mean())) > 0.2


def test_the_strided_matrix_is_that_of_the_authors_code():
    batch, num = 5, 100
    others = batch - 1  # its M
    flat = torch.full((batch * batch,), 1 / others)
    flat[:: others + 1] = 1 / num
    flat[1 :: others + 1] = (num - others) / (num * others)
    expected = flat.reshape(batch, batch)
    expected[others - 1, 0] = (num - others) / (num * others)
    assert torch.allclose(log_weights(batch, num, "strided").exp(), expected)


def test_with_all_images_in_the_batch_the_weighted_mixture_is_exact_up_to_its_factor():
    num = 50
    posterior = posteriors(num, 3)
    z = posterior.rsample()
    found = split_kl(posterior, z, num, "weighted")
    # the mixture is a factor of num too small: the joint once, the marginals once per latent
    pairs = -0.5 * (
        (z[:, None] - posterior.mean).square() / posterior.logvar.exp()
        + posterior.logvar
        + math.log(2 * math.pi)
    )
    joint = torch.logsumexp(pairs.sum(2), 1) - math.log(num)
    marginals = torch.logsumexp(pairs, 1) - math.log(num)
    own = posterior.log_density(z).sum(1)
    factor = math.log(num)
    assert found.mutual_information == pytest.approx(float((own - joint).mean()) + factor)
    exact = float((joint - marginals.sum(1)).mean())
    assert found.total_correlation == pytest.approx(exact + 2 * factor)


def closed_form(covariance, variance):
    """Parts for means drawn from N(0, covariance) and posteriors of one variance."""
    whole = covariance + variance * np.eye(len(covariance))
    spread = np.log(np.diag(whole)).sum()
    joint = np.linalg.slogdet(whole)[1]
    return {
        "mutual_information": 0.5 * (joint - len(whole) * np.log(variance)),
        "total_correlation": 0.5 * (spread - joint),
        "dimension_kl": 0.5 * (np.diag(whole).sum() - len(whole) - spread),
    }


@pytest.fixture(scope="module")
def gaussian_case():
    """Estimates from 400 batches of 256 of 50,000 images with two correlated latents."""
    rng = np.random.default_rng(0)
    covariance, variance, num = np.array([[1.0, 0.8], [0.8, 1.0]]), 0.5, 50_000
    means = torch.from_numpy(rng.multivariate_normal([0, 0], covariance, num))
    torch.manual_seed(0)
    found = {name: [] for name in ESTIMATORS}
    for _ in range(400):
        mean = means[rng.integers(num, size=256)]
        posterior = DiagonalGaussian(mean, torch.full_like(mean, math.log(variance)))
        z = posterior.rsample()
        for name in ESTIMATORS:
            found[name].append([float(part) for part in split_kl(posterior, z, num, name)])
    parts = ("mutual_information", "total_correlation", "dimension_kl")
    known = closed_form(covariance, variance)
    return {n: np.array(v) for n, v in found.items()}, np.array([known[p] for p in parts])


def test_the_stratified_estimator_finds_each_part(gaussian_case):
    found, known = gaussian_case
    values = found["stratified"]
    error = values.mean(axis=0) - known
    standard = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    # what is left is the bias of a logarithm of a mean of 256, of the order of 1 / 256
    assert np.all(np.abs(error) < 5 * standard + 0.02)
    assert known[1] > 0.15  # so that a missing total correlation would be seen


def test_the_weighted_estimator_has_its_known_bias(gaussian_case):
    """Mixtures are a factor of N / 1 too small: joint once, marginals twice."""
    found, known = gaussian_case
    factor = math.log(50_000)
    values = found["weighted"].mean(axis=0)
    assert values[0] == pytest.approx(known[0] + factor, abs=0.05)
    assert values[1] == pytest.approx(known[1] + factor, abs=0.05)
    assert values[2] == pytest.approx(known[2] - 2 * factor, abs=0.05)


def test_the_parts_are_those_of_the_sampled_kl():
    posterior = posteriors(32, 4)
    z = posterior.rsample()
    sampled = posterior.log_density(z).sum(1) + 0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
    for name in ESTIMATORS:
        assert float(sum(split_kl(posterior, z, 1000, name))) == pytest.approx(
            float(sampled.mean())
        )


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_permuting_images_changes_little_and_latents_nothing(estimator):
    posterior = posteriors(64, 4)
    z = posterior.rsample()
    order = torch.tensor([2, 0, 3, 1])
    turned = DiagonalGaussian(posterior.mean[:, order], posterior.logvar[:, order])
    first = split_kl(posterior, z, 1000, estimator)
    again = split_kl(turned, z[:, order], 1000, estimator)
    assert [float(a) for a in first] == pytest.approx([float(b) for b in again])


def test_what_breaks_a_rule_is_refused():
    with pytest.raises(ValueError, match=r"must be one of weighted, stratified, strided; got 'x'"):
        SplitKL(100, "x")
    with pytest.raises(ValueError, match="`batch` must be from 2 to the 10 training images"):
        log_weights(11, 10, "weighted")
    with pytest.raises(ValueError, match=r"got 1\. Change the batch size"):
        log_weights(1, 10, "stratified")


def test_weights_stay_in_their_place_when_a_batch_of_another_size_comes_between(monkeypatch):
    """A captured CUDA graph knows their address alone, and validation has batches of its own."""
    made = []

    def recorded(*arguments):
        weights = log_weights(*arguments)
        made.append(weakref.ref(weights))
        return weights

    monkeypatch.setattr("autobeta.objectives.total_correlation.log_weights", recorded)
    objective = SplitKL(1000)
    for size in (8, 5, 8):
        posterior = DiagonalGaussian(torch.zeros(size, 2), torch.zeros(size, 2))
        images = torch.zeros(size, 1, 4, 4)
        objective(images, VAEOutput(posterior, torch.zeros(size, 2), images, Bernoulli()))
    assert [weights().shape for weights in made] == [(8, 8), (5, 5)]
