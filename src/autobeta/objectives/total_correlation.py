"""The three parts of the KL: index-code mutual information, total correlation, dimension-wise KL.

    E_x KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d))

q(z) is the mixture of the posteriors of all N training images. A batch of M images sees M of them,
so each is weighed in the sum that stands for the mixture.
"""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from autobeta.models import DiagonalGaussian, VAEOutput, log_normal
from autobeta.objectives._base import AbstractObjective
from autobeta.objectives.elbo import elbo_terms
from autobeta.rules import checked
from autobeta.types import Images, Scalar, Terms

Estimator = Literal["weighted", "stratified", "strided"]


class Parts(NamedTuple):
    """Parts of the KL of one batch, nats per image; estimates may be negative."""

    mutual_information: Scalar
    """Between an image's index and its latents."""
    total_correlation: Scalar
    """Dependence between the latents."""
    dimension_kl: Scalar
    """Of each latent's marginal to the prior, summed."""


@checked
def log_weights(batch: int, num_train: int, estimator: Estimator) -> Float[Tensor, "batch batch"]:
    """Log weight of posterior j in the mixture at the sample of image i.

    - "weighted": 1 / (N M) for all (minibatch weighted sampling). The mixture is too small by a
      factor from M (no overlap) to N, so mutual information is too high.
    - "stratified": 1 / N for the image's own posterior, the rest in equal parts but for one, so
      that the mixture is right on average.
    - "strided": the matrix of the authors' code and its many copies, for reproduction only. It
      was meant as "stratified", but its strides fill the first two columns in place of the
      diagonal, so that the samples' own posteriors are weighed as others.

    Raises:
        ValueError: If there is no such estimator, or a batch of M = `batch` images can't be a part
            of the N = `num_train` for training.

    Source:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, appendix C.1 and C.2,
        https://arxiv.org/abs/1802.04942; the strided matrix after vae_quant.py of
        rtqichen/beta-tcvae.

    Example:
        >>> log_weights(3, 100, "stratified").exp().sum(dim=1)
        tensor([1., 1., 1.])
    """
    if not 1 < batch <= num_train:
        raise ValueError(
            f"`batch` must be from 2 to the {num_train} training images; got {batch}. "
            "Change the batch size."
        )
    if estimator == "weighted":
        return torch.full((batch, batch), -math.log(num_train * batch))
    others = batch - 1
    last = (num_train - others) / (num_train * others)
    weights = torch.full((batch, batch), 1 / others)
    if estimator == "stratified":
        rows = torch.arange(batch)
        weights[rows, rows] = 1 / num_train
        weights[rows, (rows + 1) % batch] = last
    else:
        weights[:, 0] = 1 / num_train
        weights[:, 1] = last
        weights[others - 1, 0] = last
    return weights.log()


def split_kl(
    posterior: DiagonalGaussian,
    z: Float[Tensor, "batch latent"],
    num_train: int,
    estimator: Estimator = "stratified",
) -> Parts:
    """Estimate the parts of the KL from one sample of each posterior of a batch.

    They add up to the mean of log q(z|x) - log p(z), whatever the estimator of the mixture
    (`log_weights`).

    Source:
        Chen et al. 2018, eq. 2 and appendix C.

    Deviations:
        The estimators are defined for log q(z). For each latent's log q(z_d) the same weights are
        used, as in the authors' code.
    """
    return _parts(posterior, z, log_weights(len(z), num_train, estimator).to(z))


def _parts(posterior: DiagonalGaussian, z: Tensor, logs: Tensor) -> Parts:
    density = log_normal(z[:, None], posterior.mean, posterior.logvar)  # (sample, image, latent)
    own = posterior.log_density(z).sum(dim=1)
    joint = torch.logsumexp(density.sum(dim=2) + logs, dim=1)
    marginal = torch.logsumexp(density + logs[..., None], dim=1).sum(dim=1)
    prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
    return Parts((own - joint).mean(), (joint - marginal).mean(), (marginal - prior).mean())


MOST_SIZES = 8  # of batches whose weights are kept


class SplitKL(AbstractObjective):
    """Terms reconstruction, kl (in closed form), and those of its `parts` that a method weighs."""

    min_batch = 2

    @checked
    def __init__(
        self,
        num_train: int,
        estimator: Estimator = "stratified",
        parts: tuple[str, ...] = ("total_correlation",),
    ) -> None:
        super().__init__()
        self._num_train, self._estimator, self._parts = num_train, estimator, parts
        self.couples_images = bool(parts)
        if unknown := {*parts} - {*Parts._fields}:
            raise ValueError(
                f"`parts` must be of {', '.join(Parts._fields)}; got {', '.join(sorted(unknown))}."
            )
        # they depend on the batch's size alone, so they are copied to the device once; those of
        # a size stay where they are, as a CUDA graph that was captured with them has their place
        self._logs: dict[tuple[int, torch.device], Tensor] = {}

    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms of one batch; the parts are estimated where there are any."""
        if not self._parts:
            return elbo_terms(x, output)
        size = len(x), x.device
        logs = self._logs.get(size)
        if logs is None:
            logs = log_weights(len(x), self._num_train, self._estimator).to(output.z)
            if len(self._logs) < MOST_SIZES:
                self._logs[size] = logs
        found = _parts(output.posterior, output.z, logs)
        return {**elbo_terms(x, output), **{name: getattr(found, name) for name in self._parts}}
