"""A decoder as a list of layers that a page can compute without torch."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models import AbstractLikelihood, ContinuousBernoulli, TransposedConv
from autobeta.reports.explorer import Kind, Link, PageLayer

_WAY_OUT = "Draw such a run by `autobeta traverse`, or train burgess, conv64 or mlp."


def page_layers(decoder: nn.Module) -> list[PageLayer]:
    """Layers of a decoder in order, with their weights as float32 arrays.

    Raises:
        ValueError: If the page does not know a layer, or not where it stands.
    """
    found: list[PageLayer] = []
    for name, layer in _flat("decoder", decoder):
        flat = all(known.kind != "unflatten" for known in found)
        found.append(_page_layer(name, layer, flat))
    return found


def page_link(likelihood: AbstractLikelihood) -> Link:
    """How a likelihood makes its mean image of the decoder's outputs.

    Raises:
        ValueError: If the page does not know its link.
    """
    links: dict[object, Link] = {torch.sigmoid: "logistic", torch.positive: "linear"}
    own = type(likelihood).mean_image is AbstractLikelihood.mean_image
    if own and type(likelihood) is ContinuousBernoulli:
        return "continuous_bernoulli"
    if not own or likelihood.link not in links:
        raise ValueError(
            "`likelihood` must have a mean that the page can compute: linear, logistic, or the "
            f"continuous Bernoulli's; got that of {type(likelihood).__name__}. {_WAY_OUT}"
        )
    return links[likelihood.link]


def _flat(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers of nested stacks with their names; a subclass may do something else."""
    if type(module) is not nn.Sequential:
        yield name, module
        return
    for child, layer in module.named_children():
        yield from _flat(f"{name}.{child}", layer)


def _page_layer(name: str, layer: nn.Module, flat: bool) -> PageLayer:
    if type(layer) is nn.Linear and flat:
        facts = {"inputs": layer.in_features, "outputs": layer.out_features}
        return _weighted("linear", facts, layer.weight.T, layer.bias)
    if type(layer) in (nn.ConvTranspose2d, TransposedConv) and _is_plain(layer):
        return _transposed(layer)
    if type(layer) is nn.ReLU:
        return PageLayer("relu")
    if type(layer) is nn.Tanh:
        return PageLayer("tanh")
    if type(layer) is nn.Unflatten and layer.dim == 1:
        shape = [int(n) for n in layer.unflattened_size if isinstance(n, int) and n > 0]
        if len(shape) == len(layer.unflattened_size) == 3:
            return PageLayer("unflatten", {"shape": shape})
    raise ValueError(
        "`decoder` must be an nn.Sequential of Linear, ReLU, Tanh, ConvTranspose2d without "
        "groups, dilation or output padding, and Unflatten to (channels, height, width) with no "
        f"Linear after it, which the page can compute; got {layer} as `{name}`. {_WAY_OUT}"
    )


def _is_plain(layer: nn.Module) -> bool:
    """Whether a transposed convolution has only the options that the page computes."""
    assert isinstance(layer, nn.ConvTranspose2d)
    output_padding = tuple(layer.output_padding)
    return layer.groups == 1 and tuple(layer.dilation) == (1, 1) and output_padding == (0, 0)


def _transposed(layer: nn.Module) -> PageLayer:
    assert isinstance(layer, nn.ConvTranspose2d)
    facts = {
        "inputs": layer.in_channels,
        "outputs": layer.out_channels,
        "kernel": list(layer.kernel_size),
        "stride": list(layer.stride),
        "padding": [int(n) for n in layer.padding],
    }
    # (in, out, height, width) -> (height, width, in, out)
    return _weighted("transposed", facts, layer.weight.permute(2, 3, 0, 1), layer.bias)


def _weighted(
    kind: Kind, facts: Mapping[str, object], weight: Float[Tensor, "..."], bias: Tensor | None
) -> PageLayer:
    if bias is None:
        bias = weight.new_zeros(weight.shape[-1])
    arrays = (part.detach().float().cpu().contiguous().numpy() for part in (weight, bias))
    return PageLayer(kind, facts, *arrays)
