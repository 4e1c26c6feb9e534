"""Layers that several networks share, and what makes a stack of layers an encoder."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


class UpsamplingConv(nn.ConvTranspose2d):
    """Transposed convolution with kernel 4, stride 2 and padding 1, computed by pixel shuffle.

    The same weights give the same result as `nn.ConvTranspose2d`: a kernel of 4 at stride 2 is a
    2 x 2 convolution to four maps per channel, one for each parity of the output row and column,
    interleaved. It is quicker on a CPU where the output has few channels (`benchmarks/`).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=4, stride=2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Upsample by two; `output_size` is not supported and must be None."""
        if output_size is not None:
            raise ValueError(
                f"`output_size` must be None; got {output_size}. The output is twice the input."
            )
        c_in, c_out = self.weight.shape[:2]
        # kernel index 2 q + r: offset q in the input, parity r in the output
        taps = self.weight.view(c_in, c_out, 2, 2, 2, 2)  # (c_in, c_out, q, r, q', r')
        kernel = taps.permute(1, 3, 5, 0, 2, 4).flip(4, 5).reshape(4 * c_out, c_in, 2, 2)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        maps = F.conv2d(input, kernel, padding=1)  # (B, 4 c_out, H + 1, W + 1)
        cropped = F.pixel_shuffle(maps, 2)[:, :, 1:-1, 1:-1]  # (B, c_out, 2 H, 2 W)
        bias = self.bias  # a local name, since TorchScript narrows no attribute
        return cropped if bias is None else cropped + bias.view(1, -1, 1, 1)


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
    return [m for a, b in pairs for m in (nn.Conv2d(a, b, 4, stride=2, padding=1), nn.ReLU())]


def doublings(channels: list[int]) -> list[nn.Module]:
    """Transposed convolutions, each doubling height and width; the last has few maps."""
    *pairs, last = pairwise(channels)
    layers: list[nn.Module] = []
    for c_in, c_out in pairs:
        layers += [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), nn.ReLU()]
    return [*layers, UpsamplingConv(*last)]


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
