"""Encoders: image (batch, channel, height, width) to a DiagonalGaussian, as plain functions."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models._layers import halvings_to_four, kaiming_initialise
from autobeta.models.posterior import DiagonalGaussian


class Encoder(nn.Module):
    """A network whose 2 D outputs are read as D means and D log-variances.

    Args:
        network: Maps images (batch, channel, height, width) to (batch, 2 * num_latents).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> DiagonalGaussian:
        """Posterior of each image, in float32 also under mixed precision."""
        mean, logvar = self.network(x).float().chunk(2, dim=1)
        return DiagonalGaussian(mean, logvar)


def _halving(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), nn.ReLU()]


def conv64(image_shape: tuple[int, int, int], num_latents: int) -> Encoder:
    """The encoder of DynamicVAE and ControlVAE.

    64 x 64: four halving convolutions with 32, 32, 64, 64 channels, a 4 x 4 convolution to 256
    channels, one linear layer. 32 x 32 leaves the first 32 out, 128 x 128 adds one.

    Args:
        image_shape: (height, width, channels).
        num_latents: Number of latents D.

    Raises:
        ValueError: If the image is not 32, 64 or 128 pixels wide.

    Source:
        Shao et al., DynamicVAE, https://arxiv.org/abs/2009.06795; layout and initialisation from
        the authors' model.py (BetaVAE_H).
    """
    halvings = halvings_to_four(image_shape[0])
    channels = [image_shape[2], *[32] * (halvings - 2), 64, 64]
    layers = [m for a, b in pairwise(channels) for m in _halving(a, b)]
    head = [nn.Conv2d(64, 256, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2 * num_latents)]
    network = nn.Sequential(*layers, *head)
    kaiming_initialise(network)
    return Encoder(network)


def burgess(image_shape: tuple[int, int, int], num_latents: int) -> Encoder:
    """The encoder of Burgess et al.: halving convolutions of 32 channels, two layers of 256.

    Args:
        image_shape: (height, width, channels).
        num_latents: Number of latents D.

    Raises:
        ValueError: If the image is not 32, 64 or 128 pixels wide.

    Source:
        Burgess et al., Understanding disentangling in beta-VAE, 2018,
        https://arxiv.org/abs/1804.03599; initialisation as in the code of ControlVAE
        (BetaVAE_B).
    """
    channels = [image_shape[2], *[32] * halvings_to_four(image_shape[0])]
    layers = [m for a, b in pairwise(channels) for m in _halving(a, b)]
    dense = [nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(256, 2 * num_latents))
    kaiming_initialise(network)
    return Encoder(network)


def mlp(image_shape: tuple[int, int, int], num_latents: int) -> Encoder:
    """Two hidden layers of 1200 units, as Higgins et al. used for dSprites.

    Args:
        image_shape: (height, width, channels), any size.
        num_latents: Number of latents D.

    Source:
        Higgins et al., beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl, appendix.
    """
    num_pixels = int(torch.tensor(image_shape).prod())
    dense = [nn.Linear(num_pixels, 1200), nn.ReLU(), nn.Linear(1200, 1200), nn.ReLU()]
    network = nn.Sequential(nn.Flatten(), *dense, nn.Linear(1200, 2 * num_latents))
    kaiming_initialise(network)
    return Encoder(network)
