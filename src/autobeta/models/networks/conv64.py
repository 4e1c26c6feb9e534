"""Convolutions of DynamicVAE and ControlVAE, for images of 32, 64 or 128 pixels.

64 x 64: four halving convolutions with 32, 32, 64, 64 channels, a 4 x 4 convolution to 256
channels and a linear layer; the decoder mirrors them. 32 x 32 leaves the first 32 out, 128 x 128
adds one.
"""

from torch import nn

from autobeta.models.networks import _layers

SOURCE = (
    "Shao et al., DynamicVAE, https://arxiv.org/abs/2009.06795; layout and initialisation from "
    "the authors' model.py (BetaVAE_H)"
)


def encoder(image_shape: _layers.ImageShape, num_latents: int) -> _layers.Encoder:
    """Square images of only 32, 64 or 128 pixels to mean and log-variance of the latents."""
    channels = [image_shape[2], *[32] * (_layers.halvings_to_four(image_shape) - 2), 64, 64]
    layers = _layers.halvings(channels)
    head = [nn.Conv2d(64, 256, 4), nn.ReLU(True), nn.Flatten(), nn.Linear(256, 2 * num_latents)]
    return _layers.Encoder(nn.Sequential(*layers, *head))


def decoder(image_shape: _layers.ImageShape, num_latents: int) -> nn.Module:
    """Latents to the likelihood's parameters, of the images' shape; it refuses as `encoder`."""
    channels = [64, 64, *[32] * (_layers.halvings_to_four(image_shape) - 2), image_shape[2]]
    stem = [nn.Linear(num_latents, 256), nn.Unflatten(1, (256, 1, 1)), nn.ReLU(True)]
    first = [_layers.TransposedConv(256, 64, 4, 1, 0), nn.ReLU(True)]
    return _layers.initialised(nn.Sequential(*stem, *first, *_layers.doublings(channels)))
