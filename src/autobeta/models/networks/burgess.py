"""Convolutions of Burgess et al., for images of 32, 64 or 128 pixels.

Halving convolutions of 32 channels and two layers of 256; the decoder mirrors them.
"""

from torch import nn

from autobeta.models.networks import _layers

SOURCE = (
    "Burgess et al., Understanding disentangling in beta-VAE, 2018, "
    "https://arxiv.org/abs/1804.03599; initialisation as in the code of ControlVAE (BetaVAE_B)"
)


def encoder(image_shape: _layers.ImageShape, num_latents: int) -> _layers.Encoder:
    """Square images of only 32, 64 or 128 pixels to mean and log-variance of the latents."""
    layers = _layers.halvings([image_shape[2], *[32] * _layers.halvings_to_four(image_shape)])
    dense = _layers.dense([512, 256, 256], nn.ReLU)
    network = nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(256, 2 * num_latents))
    return _layers.Encoder(network)


def decoder(image_shape: _layers.ImageShape, num_latents: int) -> nn.Module:
    """Latents to the likelihood's parameters, of the images' shape; it refuses as `encoder`."""
    channels = [*[32] * _layers.halvings_to_four(image_shape), image_shape[2]]
    stem = [*_layers.dense([num_latents, 256, 256, 512], nn.ReLU), nn.Unflatten(1, (32, 4, 4))]
    return _layers.initialised(nn.Sequential(*stem, *_layers.doublings(channels)))
