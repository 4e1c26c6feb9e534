"""Density ratio, covariance penalties and kernel distance."""

import numpy as np
import pytest
import torch

from autobeta.models import Bernoulli, DiagonalGaussian, VAEOutput
from autobeta.objectives import (
    CovariancePenalty,
    DensityRatio,
    MaximumMeanDiscrepancy,
    SplitKL,
    squared_mmd,
)
from autobeta.objectives.density_ratio import shuffled
from autobeta.objectives.moments import covariance
from autobeta.objectives.total_correlation import MOST_SIZES


def output_of(mean, logvar=None, z=None):
    logvar = torch.zeros_like(mean) if logvar is None else logvar
    pixels = torch.zeros(len(mean), 1, 2, 2)
    return VAEOutput(DiagonalGaussian(mean, logvar), mean if z is None else z, pixels, Bernoulli())


X = torch.zeros(64, 1, 2, 2)


def test_shuffling_keeps_each_latent_and_breaks_their_ties():
    z = torch.randn(500, 1).repeat(1, 3)
    apart = shuffled(z)
    assert torch.equal(apart.sort(dim=0).values, z.sort(dim=0).values)
    assert torch.corrcoef(apart.T)[0, 1].abs() < 0.2


def test_the_discriminator_sees_detached_codes():
    objective = DensityRatio(3)
    mean = torch.randn(64, 3, requires_grad=True)
    objective.adversary_loss(output_of(mean)).backward()
    assert mean.grad is None
    assert all(p.grad is not None for p in objective.discriminator.parameters())


def test_the_codes_feel_the_total_correlation():
    objective = DensityRatio(3)
    mean = torch.randn(64, 3, requires_grad=True)
    objective(X, output_of(mean))["total_correlation"].backward()
    assert mean.grad.abs().sum() > 0


def test_an_untrained_discriminator_is_a_guess():
    objective = DensityRatio(3)
    loss = objective.adversary_loss(output_of(torch.randn(64, 3))).detach()
    assert float(loss) == pytest.approx(np.log(2), abs=0.05)
    assert float(objective.discriminator_loss) == float(loss)


def test_a_batch_too_small_to_shuffle_is_refused():
    with pytest.raises(ValueError, match="`batch_size` must be at least 4 for a discriminator"):
        DensityRatio(2).adversary_loss(output_of(torch.randn(3, 2)))


@pytest.mark.slow
def test_a_trained_discriminator_tells_the_total_correlation_of_a_gaussian():
    correlation = 0.8
    known = -0.5 * np.log(1 - correlation**2)  # 0.51 nats
    objective = DensityRatio(2, lr=5e-4)
    optimizer = objective.adversary_optimizer()
    root = torch.linalg.cholesky(torch.tensor([[1.0, correlation], [correlation, 1.0]]))
    found = []  # an estimate moves with every step, so their mean is taken
    for step in range(500):
        optimizer.zero_grad()
        objective.adversary_loss(output_of(torch.randn(256, 2) @ root.T)).backward()
        optimizer.step()
        if step >= 150 and step % 25 == 0:
            with torch.no_grad():
                logits = objective.discriminator(torch.randn(10_000, 2) @ root.T)
            found.append(float((logits[:, 0] - logits[:, 1]).mean()))
    assert np.mean(found) == pytest.approx(known, abs=0.1)


def test_covariances_are_those_of_numpy():
    mean, logvar = torch.randn(64, 3), torch.randn(64, 3)
    posterior = DiagonalGaussian(mean, logvar)
    of_means = np.cov(mean.numpy().T, bias=True)
    assert covariance(posterior, "i").numpy() == pytest.approx(of_means, abs=1e-6)
    of_all = of_means + np.diag(np.exp(logvar.numpy()).mean(axis=0))
    assert covariance(posterior, "ii").numpy() == pytest.approx(of_all, abs=1e-5)


def test_the_penalty_vanishes_for_white_codes_and_counts_the_rest():
    mean = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).repeat(16, 1)
    terms = CovariancePenalty("i")(X, output_of(mean))
    assert float(terms["off_diagonal"]) == float(terms["diagonal"]) == 0
    both = torch.stack([2 * mean[:, 0], 2 * mean[:, 0]], dim=1)
    terms = CovariancePenalty("i")(X, output_of(both))  # covariance 4 everywhere
    assert float(terms["off_diagonal"]) == pytest.approx(2 * 16)
    assert float(terms["diagonal"]) == pytest.approx(2 * 9)
    terms = CovariancePenalty("ii")(X, output_of(both))  # variances 4 + 1
    assert float(terms["diagonal"]) == pytest.approx(2 * 16)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.5), (1.0, 1.5)])
def test_the_kernel_distance_of_a_gaussian_is_unbiased(shift, scale):
    size, width = 3, 4.0
    found = [float(squared_mmd(shift + scale * torch.randn(64, size), width)) for _ in range(2000)]
    variance = scale**2
    among = (width / (width + 2 * variance)) ** (size / 2)
    across = (width / (width + 1 + variance)) ** (size / 2)
    across *= np.exp(-size * shift**2 / (2 * (width + 1 + variance)))
    known = among - 2 * across + (width / (width + 2)) ** (size / 2)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - known) < 5 * error


def test_a_kernel_without_width_is_refused():
    with pytest.raises(ValueError, match="`width` must be positive and finite; got 0"):
        MaximumMeanDiscrepancy(0.0)


@pytest.mark.parametrize("kind", ["i", "ii"])
def test_one_image_has_no_covariance(kind):
    with pytest.raises(ValueError, match="`x` must have at least 2 images"):
        CovariancePenalty(kind)(X[:1], output_of(torch.randn(1, 2)))


def test_parts_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="`parts` must be of mutual_information"):
        SplitKL(100, parts=("tc",))


def test_weights_of_few_sizes_are_kept():
    objective = SplitKL(1000)
    for size in range(2, 40):
        objective(X[:size], output_of(torch.randn(size, 2)))
    assert len(objective._logs) == MOST_SIZES
