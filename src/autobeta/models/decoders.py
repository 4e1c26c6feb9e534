"""Decoders: latents (batch, num_latents) to the likelihood's parameters, as plain functions."""

from itertools import pairwise

from torch import nn

from autobeta.models._layers import UpsamplingConv, halvings_to_four, kaiming_initialise


def _doubling(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), nn.ReLU()]


def _doublings(channels: list[int]) -> list[nn.Module]:
    """Doubling layers along a list of channels; the last has few maps, so it is shuffled."""
    pairs = list(pairwise(channels))
    layers = [m for a, b in pairs[:-1] for m in _doubling(a, b)]
    return [*layers, UpsamplingConv(*pairs[-1])]


def conv64(image_shape: tuple[int, int, int], num_latents: int) -> nn.Sequential:
    """The decoder of DynamicVAE and ControlVAE, the mirror image of its encoder.

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
    channels = [64, 64, *[32] * (halvings - 2), image_shape[2]]
    stem = [nn.Linear(num_latents, 256), nn.Unflatten(1, (256, 1, 1)), nn.ReLU()]
    network = nn.Sequential(
        *stem, nn.ConvTranspose2d(256, 64, 4), nn.ReLU(), *_doublings(channels)
    )
    kaiming_initialise(network)
    return network


def burgess(image_shape: tuple[int, int, int], num_latents: int) -> nn.Sequential:
    """The decoder of Burgess et al., the mirror image of its encoder.

    Args:
        image_shape: (height, width, channels).
        num_latents: Number of latents D.

    Raises:
        ValueError: If the image is not 32, 64 or 128 pixels wide.

    Source:
        Burgess et al., 2018, https://arxiv.org/abs/1804.03599
    """
    halvings = halvings_to_four(image_shape[0])
    sizes = [num_latents, 256, 256, 512]
    pairs = pairwise(sizes)
    dense = [m for a, b in pairs for m in (nn.Linear(a, b), nn.ReLU())]
    channels = [*[32] * halvings, image_shape[2]]
    network = nn.Sequential(*dense, nn.Unflatten(1, (32, 4, 4)), *_doublings(channels))
    kaiming_initialise(network)
    return network


def mlp(image_shape: tuple[int, int, int], num_latents: int) -> nn.Sequential:
    """Three hidden layers of 1200 units with tanh, as Higgins et al. used for dSprites.

    Args:
        image_shape: (height, width, channels), any size.
        num_latents: Number of latents D.

    Source:
        Higgins et al., beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl, appendix.
    """
    height, width, channels = image_shape
    sizes = [num_latents, 1200, 1200, 1200]
    pairs = pairwise(sizes)
    hidden = [m for a, b in pairs for m in (nn.Linear(a, b), nn.Tanh())]
    out = [nn.Linear(1200, channels * height * width), nn.Unflatten(1, (channels, height, width))]
    network = nn.Sequential(*hidden, *out)
    kaiming_initialise(network)
    return network
