"""Penalties on the covariance of the codes: DIP-VAE I and II."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from autobeta.models import DiagonalGaussian, VAEOutput
from autobeta.objectives._base import AbstractObjective
from autobeta.objectives.elbo import elbo_terms
from autobeta.rules import checked
from autobeta.types import Images, Terms

Matrix = Float[Tensor, "latent latent"]


def covariance(posterior: DiagonalGaussian, kind: Literal["i", "ii"]) -> Matrix:
    """Covariance over a batch, divided by its size: of the means (I), or of q(z) (II).

    That of q(z) is the means' covariance plus the mean of the posteriors' variances.

    Example:
        >>> covariance(DiagonalGaussian(torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1)), "ii")
        tensor([[2.]])
    """
    centred = posterior.mean - posterior.mean.mean(dim=0)
    of_means = centred.T @ centred / len(centred)
    return of_means if kind == "i" else of_means + posterior.logvar.exp().mean(dim=0).diag()


class CovariancePenalty(AbstractObjective):
    """Terms reconstruction, kl, and the squared distance of the covariance from the identity.

    `off_diagonal` is the sum of squared covariances between latents, `diagonal` that of their
    variances less 1. They are in units of the codes, not nats.

    Args:
        kind: "i" penalises the covariance of the means, "ii" that of q(z).

    Source:
        Kumar et al., DIP-VAE, 2018, eq. 6 and 7, https://arxiv.org/abs/1711.00848
    """

    min_batch = 2  # one image has no covariance
    couples_images = True

    @checked
    def __init__(self, kind: Literal["i", "ii"]) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms of one batch, of at least 2 images, else a ValueError."""
        if len(x) < self.min_batch:
            raise ValueError(
                f"`x` must have at least {self.min_batch} images, which are compared; got "
                f"{len(x)}. Leave out a last batch that is smaller."
            )
        matrix = covariance(output.posterior, self._kind)
        diagonal = torch.diagonal(matrix)
        return {
            **elbo_terms(x, output),
            "off_diagonal": (matrix - diagonal.diag()).square().sum(),
            "diagonal": (diagonal - 1).square().sum(),
        }
