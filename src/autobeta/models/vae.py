"""VAE joins encoder, decoder and likelihood."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models.likelihood import AbstractLikelihood
from autobeta.models.posterior import DiagonalGaussian


@dataclass(frozen=True)
class VAEOutput:
    """What one forward pass gives an objective.

    Args:
        posterior: q(z|x) of each image.
        z: One sample of it each, shape (batch, num_latents).
        outputs: The likelihood's parameters, shape of the images.
        likelihood: Reads `outputs`.
    """

    posterior: DiagonalGaussian
    z: Float[Tensor, "batch latent"]
    outputs: Float[Tensor, "batch channel height width"]
    likelihood: AbstractLikelihood


class VAE(nn.Module):
    """Variational autoencoder with a standard normal prior.

    Args:
        encoder: Image to DiagonalGaussian.
        decoder: Latents to the likelihood's parameters.
        likelihood: p(x|z) given these parameters.

    Source:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: AbstractLikelihood
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> VAEOutput:
        """Encode, sample, decode."""
        posterior = self.encoder(x)
        z = posterior.rsample()
        return VAEOutput(posterior, z, self.decoder(z).float(), self.likelihood)

    def decode(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Mean image of each latent vector, values in (0, 1)."""
        return self.likelihood.mean_image(self.decoder(z).float())
