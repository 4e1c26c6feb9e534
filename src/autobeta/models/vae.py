"""VAE joins encoder, decoder and likelihood, those of `networks/` or one's own."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models.likelihoods._base import AbstractLikelihood
from autobeta.models.posterior import DiagonalGaussian
from autobeta.types import Images


@dataclass(frozen=True)
class VAEOutput:
    """What one forward pass gives an objective: q(z|x) and a sample of it, for each image."""

    posterior: DiagonalGaussian
    z: Float[Tensor, "batch latent"]
    outputs: Images
    """The likelihood's parameters."""
    likelihood: AbstractLikelihood


class VAE(nn.Module):
    """Variational autoencoder with a standard normal prior.

    An encoder whose attribute `channels_last` is true gets batches as they come, in channels-last
    memory format from our loop; every other gets plain contiguous ones. Parameters are float32;
    bfloat16 and float16 are for autocast.

    Args:
        encoder: Images (batch, channel, height, width) to a pair (mean, logvar), each of shape
            (batch, num_latents); or to one tensor (batch, 2 * num_latents), means first; or to a
            DiagonalGaussian.
        decoder: Latents (batch, num_latents) to the likelihood's parameters, of the images' shape.
        likelihood: p(x|z) given these parameters.

    Source:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: AbstractLikelihood
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood

    def forward(self, x: Images, part: int = 0, parts: int = 1) -> VAEOutput:
        """Encode, sample, decode; `part` of `parts` says which of a batch these images are.

        Raises:
            ValueError: If encoder or decoder return other shapes than they must.
            TypeError: If the encoder returns something else.
        """
        posterior = self.encode(x)
        z = posterior.rsample(part, parts)
        outputs = self.decoder(z)
        if outputs.shape != x.shape:
            raise ValueError(
                f"`decoder` must return the images' shape {tuple(x.shape)}; got "
                f"{tuple(outputs.shape)} from latents {tuple(z.shape)}. Change its last layer."
            )
        _check_real("decoder", outputs)
        return VAEOutput(posterior, z, _wide(outputs, x), self.likelihood)

    def encode(self, x: Images) -> DiagonalGaussian:
        """Posterior of each image, in float32 also under mixed precision."""
        if not getattr(self.encoder, "channels_last", False):
            x = x.contiguous().view(x.shape)  # the view clears the strides of a single channel
        return _posterior(self.encoder(x), x)

    def decode(self, z: Float[Tensor, "batch latent"]) -> Images:
        """Mean image of each latent vector, values in (0, 1)."""
        return self.likelihood.mean_image(_wide(self.decoder(z), z))


def _posterior(found: Any, x: Images) -> DiagonalGaussian:  # noqa: ANN401
    """What an encoder returned for images, as a distribution."""
    images = tuple(x.shape)
    if isinstance(found, DiagonalGaussian):
        found = (found.mean, found.logvar)
    elif isinstance(found, Tensor):
        even = found.ndim == 2 and found.shape[1] % 2 == 0
        found = found.chunk(2, dim=1) if even else (found,)
    if not (isinstance(found, tuple | list) and all(isinstance(part, Tensor) for part in found)):
        raise TypeError(
            f"`encoder` must return a tensor, a pair of tensors or a DiagonalGaussian; got a "
            f"{type(found).__name__}. Return (mean, logvar)."
        )
    shapes = [tuple(part.shape) for part in found]
    fits = len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 2
    if not fits or shapes[0][0] != images[0]:
        raise ValueError(
            f"`encoder` must return mean and logvar, each ({images[0]}, num_latents), or both in "
            f"one tensor ({images[0]}, 2 * num_latents), for images {images}; got "
            f"{', '.join(map(str, shapes))}. Change its last layer."
        )
    _check_real("encoder", *found)
    mean, logvar = found
    return DiagonalGaussian(_wide(mean, x), _wide(logvar, x))


def _wide(tensor: Tensor, given: Tensor) -> Tensor:
    """In float32, or in float64 where that is what was given."""
    return tensor.double() if given.dtype == torch.float64 else tensor.float()


def _check_real(name: str, *found: Tensor) -> None:
    """Refuse complex numbers, whose imaginary part `float` would discard."""
    for part in found:
        if part.is_complex():
            raise TypeError(
                f"`{name}` must return real numbers; got {part.dtype}. Take the real part, or abs."
            )
