"""Transposed convolutions that train quickly on a CPU; weights and results are torch's own."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FEW = 3  # maps of an output that pixel shuffle makes quicker; of 32 it makes them slower


class TransposedConv(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with another way to the same numbers on a CPU.

    Gradients are those of the convolution that it transposes, which are up to four times quicker
    than torch's own; where the output has few maps, a kernel of 4 at stride 2 is computed by pixel
    shuffle. Elsewhere, and in TorchScript and exported programs, it is the plain layer. Output
    padding, groups and dilation are not supported.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=padding)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Upsample; `output_size` is not supported and must be None."""
        if output_size is not None:
            raise ValueError(
                f"`output_size` must be None; got {output_size}. It follows from the input."
            )
        if torch.jit.is_scripting():
            weight, padding = self.weight, self.padding
            return F.conv_transpose2d(input, weight, self.bias, self.stride, padding)  # type: ignore[arg-type]
        else:
            return self._forward(input)

    @torch.jit.unused
    def _forward(self, x: Tensor) -> Tensor:
        weight, bias, kind = self.weight, self.bias, x.device.type
        if kind != "cpu" or torch.compiler.is_exporting() or torch.jit.is_tracing():
            return super().forward(x)
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
            x, weight = x.to(dtype), weight.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        out: Tensor = _Transposed.apply(x, weight, bias, self.stride, self.padding)
        return out


class _Transposed(torch.autograd.Function):
    """y = conv_transpose2d(x, w) + b; dx = conv2d(dy, w), dw the weight's gradient of that."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        doubles = (*weight.shape[2:], *stride, *padding) == (4, 4, 2, 2, 1, 1)
        if doubles and weight.shape[1] <= _FEW:
            return _by_pixel_shuffle(x, weight, bias)
        return F.conv_transpose2d(x, weight, bias, stride, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
        del output
        x, weight, bias, ctx.stride, ctx.padding = inputs
        ctx.has_bias = bias is not None
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        dx = dw = db = None
        if wants_x:
            dx = F.conv2d(grad, weight, None, ctx.stride, ctx.padding)
        if wants_weight:
            # torch.nn.grad.conv2d_weight hands on no weight, whose layout says how to compute
            options = (None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1)
            only_weight = (False, True, False)
            find = torch.ops.aten.convolution_backward
            dw = find(x, grad, weight, *options, only_weight)[1]
        if ctx.has_bias and wants_bias:
            db = grad.sum((0, 2, 3))
        return dx, dw, db, None, None

    @staticmethod
    def jvp(
        ctx: Any,  # noqa: ANN401
        dx: Tensor | None,
        dw: Tensor | None,
        db: Tensor | None,
        *_: object,
    ) -> Tensor:
        x, weight = ctx.saved_tensors
        options = {"stride": ctx.stride, "padding": ctx.padding}
        parts = [] if dx is None else [F.conv_transpose2d(dx, weight, **options)]
        parts += [] if dw is None else [F.conv_transpose2d(x, dw, **options)]
        parts += [] if db is None else [db.view(1, -1, 1, 1)]
        return sum(parts[1:], parts[0])


def _by_pixel_shuffle(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Kernel 4, stride 2, padding 1: a 2 x 2 convolution to four maps for each of the output's.

    One for each parity of the output's row and column, interleaved.
    """
    c_in, c_out = weight.shape[:2]
    # kernel index 2 q + r: offset q in the input, parity r in the output
    taps = weight.reshape(c_in, c_out, 2, 2, 2, 2)  # (c_in, c_out, q, r, q', r')
    kernel = taps.permute(1, 3, 5, 0, 2, 4).flip(4, 5).reshape(4 * c_out, c_in, 2, 2)
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    maps = F.conv2d(x, kernel, padding=1)  # (B, 4 c_out, H + 1, W + 1)
    cropped = F.pixel_shuffle(maps, 2)[:, :, 1:-1, 1:-1]  # (B, c_out, 2 H, 2 W)
    return cropped.clone() if bias is None else cropped + bias.view(1, -1, 1, 1)
