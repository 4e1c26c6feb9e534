"""Layers of 1200 units, for images of any size, as Higgins et al. used for dSprites.

Two hidden layers with ReLU in the encoder, three with tanh in the decoder.
"""

import math

from torch import nn

from autobeta.models.networks import _layers

SOURCE = "Higgins et al., beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl, appendix"


def encoder(image_shape: _layers.ImageShape, num_latents: int) -> _layers.Encoder:
    """Images of shape (height, width, channels) to mean and log-variance of the latents."""
    hidden = _layers.dense([math.prod(image_shape), 1200, 1200], nn.ReLU)
    return _layers.Encoder(nn.Sequential(nn.Flatten(), *hidden, nn.Linear(1200, 2 * num_latents)))


def decoder(image_shape: _layers.ImageShape, num_latents: int) -> nn.Module:
    """Latents to the likelihood's parameters, of the images' shape."""
    height, width, channels = image_shape
    hidden = _layers.dense([num_latents, 1200, 1200, 1200], nn.Tanh)
    last = nn.Linear(1200, channels * height * width)
    return _layers.initialised(
        nn.Sequential(*hidden, last, nn.Unflatten(1, (channels, height, width)))
    )
