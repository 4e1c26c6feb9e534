"""TransposedConv against torch's own layer: values, gradients, and where it can be carried."""

import pytest
import torch
from torch import nn

from autobeta.models.networks._transposed import TransposedConv

# forward-mode derivatives load code of torch that is scripted
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

# in, out, kernel, stride, padding: as the networks have them, and others
SHAPES = [(6, 1, 4, 2, 1), (6, 3, 4, 2, 1), (6, 5, 4, 2, 1), (7, 4, 4, 1, 0), (3, 2, 3, 2, 0)]
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def pair(shape, dtype=torch.float32, layout=torch.channels_last):
    """Ours, and torch's with the same weights."""
    c_in, c_out, kernel, stride, padding = shape
    ours = TransposedConv(*shape).to(dtype).to(memory_format=layout)
    plain = nn.ConvTranspose2d(c_in, c_out, kernel, stride=stride, padding=padding).to(dtype)
    plain.load_state_dict(ours.state_dict())
    ours.load_state_dict(plain.state_dict())
    return ours, plain


def gradients(layer, x):
    x = x.clone().requires_grad_()
    out = layer(x)
    weights = torch.arange(out.numel(), dtype=torch.float64).sin().reshape(out.shape)
    (out.double() * weights).sum().backward()
    return out.detach(), x.grad, layer.weight.grad, layer.bias.grad


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_torch(shape, layout):
    ours, plain = pair(shape, layout=layout)
    x = torch.randn(4, shape[0], 5, 7).to(memory_format=layout)
    for a, b in zip(gradients(ours, x), gradients(plain, x), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=2e-6 * max(1, b.abs().max().item()))


@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives_agree_with_differences(shape):
    ours, _ = pair(shape, torch.float64)
    x = torch.randn(2, shape[0], 3, 4, dtype=torch.float64, requires_grad=True)

    def apply(x, weight, bias):
        return torch.func.functional_call(ours, {"weight": weight, "bias": bias}, (x,))

    inputs = (x, *(p.detach().clone().requires_grad_() for p in (ours.weight, ours.bias)))
    assert torch.autograd.gradcheck(apply, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(apply, inputs)


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd, "vmap"])
@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_transforms_of_functions_take_it(shape, transform):
    ours, plain = pair(shape, torch.float64)
    x = torch.randn(3, 1, shape[0], 2, 2, dtype=torch.float64)
    if transform == "vmap":
        found, wanted = torch.func.vmap(ours)(x), torch.func.vmap(plain)(x)
    else:
        found, wanted = transform(ours)(x[0]), transform(plain)(x[0])
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("shape", SHAPES)
def test_only_what_is_asked_for_is_computed(shape):
    ours, plain = pair(shape)
    x = torch.randn(2, shape[0], 4, 4)
    for layer in (ours, plain):
        layer.weight.requires_grad_(False)
    ours(x).sum().backward()
    plain(x).sum().backward()
    assert ours.weight.grad is None
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("shape", SHAPES)
def test_autocast_gives_what_it_gives_torchs_layer(shape):
    ours, plain = pair(shape)
    x = torch.randn(4, shape[0], 6, 6).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = gradients(ours, x), gradients(plain, x)
    assert found[0].dtype == torch.bfloat16
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02 * b.abs().max().item())


def test_a_single_map_has_gradients_in_the_layout_of_the_layer_before():
    ours, _ = pair((8, 1, 4, 2, 1))
    x = torch.randn(4, 8, 6, 6).to(memory_format=torch.channels_last)
    _, dx, *_ = gradients(ours, x)
    assert dx.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_graphs_hold_the_plain_layer(shape):
    ours, plain = pair(shape)
    x = torch.randn(2, shape[0], 4, 4)
    program = torch.export.export(ours, (x,))
    assert "conv_transpose2d" in program.graph_module.code
    torch.testing.assert_close(program.module()(x), plain(x))


def test_there_is_no_other_output_size():
    with pytest.raises(ValueError, match="`output_size` must be None"):
        TransposedConv(2, 1, 4, 2, 1)(torch.zeros(1, 2, 4, 4), [8, 8])
