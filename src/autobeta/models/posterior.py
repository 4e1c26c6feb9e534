"""DiagonalGaussian: the posterior q(z|x), a normal distribution with diagonal covariance."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class DiagonalGaussian:
    """Normal distributions with diagonal covariance, one per image.

    Args:
        mean: Means, shape (batch, num_latents).
        logvar: Natural logarithms of the variances, same shape.

    Example:
        >>> standard = DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2))
        >>> standard.kl()
        tensor([[0., 0.]])
    """

    mean: Float[Tensor, "batch latent"]
    logvar: Float[Tensor, "batch latent"]

    def rsample(self, part: int = 0, parts: int = 1) -> Float[Tensor, "batch latent"]:
        """One reparametrised sample each, with noise from torch's global generator.

        Of several `parts` of a batch each takes its own of the noise that all would have.
        """
        if parts == 1:
            noise = torch.randn_like(self.mean)
        else:
            whole = self.mean.new_empty(parts * len(self.mean), self.mean.shape[1])
            noise = whole.normal_().chunk(parts)[part]
        return self.mean + noise * torch.exp(0.5 * self.logvar)

    def kl(self) -> Float[Tensor, "batch latent"]:
        """KL divergence to the standard normal prior, per image and latent, in nats.

        Source:
            Kingma & Welling, 2013, appendix B, https://arxiv.org/abs/1312.6114
        """
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)

    def log_density(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
        """Log density of `z` per image and latent, in nats."""
        return log_normal(z, self.mean, self.logvar)


def log_normal(
    z: Float[Tensor, "*samples"], mean: Float[Tensor, "*means"], logvar: Float[Tensor, "*means"]
) -> Float[Tensor, "..."]:
    """Log density of normal distributions, in nats; shapes are broadcast."""
    square = (z - mean).square() * torch.exp(-logvar)
    return -0.5 * (square + logvar + _LOG_2PI)
