"""Layers that several networks share, and what makes a stack of layers an encoder."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from autobeta.models.networks._transposed import TransposedConv

ImageShape = tuple[int, int, int]
SIZES = {32: 3, 64: 4, 128: 5}  # pixels, and how often they are halved to reach 4 x 4


class Encoder(nn.Module):
    """A network from images to 2 D outputs, which are read as D means and D log-variances.

    Annotations are plain, so that `torch.jit.script` can read them.
    """

    channels_last = True
    """Batches come in the memory format that is quickest for it; see `VAE`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = initialised(network)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (batch, num_latents), in float32."""
        mean, logvar = self.network(x).float().chunk(2, dim=1)
        return mean, logvar


def halvings_to_four(image_shape: ImageShape) -> int:
    """How often an image must be halved to reach 4 x 4.

    Raises:
        ValueError: If it is not square, or its size is none of 32, 64 and 128.
    """
    height, width, _ = image_shape
    if height != width or height not in SIZES:
        raise ValueError(
            f"`image_size` must be one of {', '.join(map(str, SIZES))}, since the network halves "
            f"square images down to 4 x 4; got {height} x {width}. Resize the images, or take "
            "the mlp."
        )
    return SIZES[height]


def halvings(channels: list[int]) -> list[nn.Module]:
    """Convolutions along a list of channels, each halving height and width, with ReLU."""
    pairs = pairwise(channels)
    return [m for a, b in pairs for m in (nn.Conv2d(a, b, 4, stride=2, padding=1), nn.ReLU(True))]


def doublings(channels: list[int]) -> list[nn.Module]:
    """Transposed convolutions, each doubling height and width, with ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(channels):
        layers += [TransposedConv(a, b, 4, 2, 1), nn.ReLU(True)]
    return layers[:-1]


def dense(sizes: list[int], activation: type[nn.Module]) -> list[nn.Module]:
    """Linear layers along a list of sizes, each with its activation."""
    return [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), activation())]


def initialised(network: nn.Module) -> nn.Module:
    """Kaiming-normal weights and zero biases for Linear and Conv2d layers; channels-last.

    Transposed convolutions keep torch's default, as in the code of DynamicVAE, where the test
    for Conv2d does not cover them.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
