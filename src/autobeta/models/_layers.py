"""Layers that several networks share."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIZES = (32, 64, 128)


class UpsamplingConv(nn.ConvTranspose2d):
    """Transposed convolution with kernel 4, stride 2 and padding 1, computed by pixel shuffle.

    The same weights give the same result as `nn.ConvTranspose2d`: a kernel of 4 at stride 2 is a
    2 x 2 convolution to four maps per channel, one for each parity of the output row and column,
    interleaved. It is quicker on a CPU where the output has few channels (`benchmarks/`).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, which is twice as high and wide.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=4, stride=2, padding=1)

    def forward(
        self,
        input: Float[Tensor, "batch c_in height width"],
        output_size: list[int] | None = None,
    ) -> Float[Tensor, "batch c_out height2 width2"]:
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
        full = F.pixel_shuffle(maps, 2)  # (B, c_out, 2 H + 2, 2 W + 2)
        cropped = full[:, :, 1:-1, 1:-1]
        return cropped if self.bias is None else cropped + self.bias.view(1, -1, 1, 1)


def halvings_to_four(image_size: int) -> int:
    """How often an image must be halved to reach 4 x 4.

    Raises:
        ValueError: If the size is none of 32, 64 and 128.
    """
    if image_size not in SIZES:
        raise ValueError(
            f"`image_size` must be one of {SIZES}, since the networks halve it down to 4 x 4; "
            f"got {image_size}. Resize the images."
        )
    return {32: 3, 64: 4, 128: 5}[image_size]


def kaiming_initialise(module: nn.Module) -> None:
    """Kaiming-normal weights and zero biases for Linear and Conv2d layers.

    Transposed convolutions keep torch's default, as in the code of DynamicVAE, where the test
    for Conv2d does not cover them.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
