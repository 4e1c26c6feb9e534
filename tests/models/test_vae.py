"""Networks of one's own in a VAE, and built-in networks taken elsewhere."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn

from autobeta import registry
from autobeta.models import VAE, Bernoulli, DiagonalGaussian
from autobeta.models.networks._layers import Encoder
from autobeta.models.networks._transposed import TransposedConv
from autobeta.objectives import Elbo

NETWORKS = registry.available("models/networks")
X = torch.rand(2, 1, 32, 32)


class Reads(nn.Module):
    """An encoder that returns what `form` makes of its mean and log-variance."""

    def __init__(self, form):
        super().__init__()
        self.layer, self.form = nn.Linear(32 * 32, 6), form

    def forward(self, x):
        self.seen = x
        return self.form(*self.layer(x.flatten(1)).chunk(2, dim=1))


def vae(form, out=32 * 32):
    decoder = nn.Sequential(nn.Linear(3, out), nn.Unflatten(1, (1, out // 32, 32)))
    return VAE(Reads(form), decoder, Bernoulli())


FORMS = {
    "pair": lambda mean, logvar: (mean, logvar),
    "list": lambda mean, logvar: [mean, logvar],
    "tensor": lambda mean, logvar: torch.cat([mean, logvar], dim=1),
    "distribution": DiagonalGaussian,
}


@pytest.mark.parametrize("form", FORMS)
def test_own_encoder_may_return_each_form(form):
    torch.manual_seed(0)
    known = vae(FORMS["pair"])
    torch.manual_seed(0)
    model = vae(FORMS[form])
    posterior = model.encode(X)
    assert torch.equal(posterior.mean, known.encode(X).mean)
    assert torch.equal(posterior.logvar, known.encode(X).logvar)
    assert model(X).outputs.shape == X.shape


def test_posterior_is_float32_whatever_the_encoder_computes_in():
    posterior = vae(lambda mean, logvar: (mean.bfloat16(), logvar.half())).encode(X)
    assert posterior.mean.dtype == posterior.logvar.dtype == torch.float32


@pytest.mark.parametrize(
    ("form", "shapes"),
    [
        (lambda mean, logvar: (mean, logvar[:, :2]), r"\(2, 3\), \(2, 2\)"),
        (lambda mean, logvar: mean, r"\(2, 3\)"),  # an odd number of outputs
        (lambda mean, logvar: (mean,), r"\(2, 3\)"),
        (lambda mean, logvar: (mean[:1], logvar[:1]), r"\(1, 3\), \(1, 3\)"),
        (lambda mean, logvar: (mean, logvar, mean), r"\(2, 3\), \(2, 3\), \(2, 3\)"),
        (lambda mean, logvar: mean[..., None, None], r"\(2, 3, 1, 1\)"),
    ],
    ids=range(6),
)
def test_wrong_shapes_of_an_encoder_are_named(form, shapes):
    message = rf"`encoder` must return mean and .* for images \(2, 1, 32, 32\); got {shapes}\. "
    with pytest.raises(ValueError, match=message):
        vae(form).encode(X)


def test_an_encoder_that_returns_no_tensors_is_refused():
    with pytest.raises(TypeError, match=r"`encoder` must return a tensor, a pair .*; got a dict"):
        vae(lambda mean, logvar: {"mean": mean}).encode(X)


def test_wrong_shape_of_a_decoder_is_named():
    message = (
        r"`decoder` must return the images' shape \(2, 1, 32, 32\); got \(2, 1, 16, 32\) from "
        r"latents \(2, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        vae(FORMS["pair"], out=16 * 32)(X)


@pytest.mark.parametrize("channels", [1, 3])
def test_own_encoder_gets_plain_batches_unless_it_asks(channels):
    x = torch.rand(4, 8, 8, channels).permute(0, 3, 1, 2)  # channels-last, as batches come
    plain = torch.rand(4, channels, 8, 8).stride()
    encoder = Reads(FORMS["pair"])
    encoder.layer = nn.Linear(64 * channels, 6)
    model = VAE(encoder, nn.Identity(), Bernoulli())
    model.encode(x)
    assert encoder.seen.stride() == plain
    assert torch.equal(encoder.seen, x)
    encoder.channels_last = True
    model.encode(x)
    assert encoder.seen.stride() == x.stride() != plain


def built_in(network):
    module = registry.load("models/networks", network)
    return module.encoder((32, 32, 1), 4), module.decoder((32, 32, 1), 4)


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_are_channels_last_and_ask_for_such_batches(network):
    encoder, decoder = built_in(network)
    assert encoder.channels_last
    for layer in [*encoder.modules(), *decoder.modules()]:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "carried",
    [
        lambda module, example: torch.jit.script(module),
        lambda module, example: torch.jit.trace(module, example),
        lambda module, example: torch.export.export(module, (example,)).module(),
        lambda module, example: copy.deepcopy(module),
        lambda module, example: pickle.loads(pickle.dumps(module)),
    ],
    ids=["script", "trace", "export", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_can_be_carried_elsewhere(network, carried, monkeypatch):
    # the type checker of the tests wraps `forward`, which scripting then can not read
    for kind in (Encoder, TransposedConv):
        monkeypatch.setattr(kind, "forward", inspect.unwrap(kind.forward))
    for module, example in zip(built_in(network), (X, torch.randn(2, 4)), strict=True):
        with torch.no_grad():
            torch.testing.assert_close(carried(module, example)(example), module(example))


def test_a_whole_vae_can_be_copied_and_pickled():
    model = VAE(*built_in("burgess"), Bernoulli())
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(copied.encode(X).mean, model.encode(X).mean)
        torch.testing.assert_close(copied.decode(X[:, 0, 0, :4]), model.decode(X[:, 0, 0, :4]))


def test_a_network_in_double_precision_stays_there():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4)))
    network, x = VAE(encoder, decoder, Bernoulli()).double(), torch.rand(3, 1, 4, 4).double()
    output = network(x)
    terms = Elbo()(x, output)
    assert {output.z.dtype, *(term.dtype for term in terms.values())} == {torch.float64}
    assert network.decode(output.z).dtype == torch.float64


def test_parts_in_double_precision_of_a_single_one_work_together():
    encoder = nn.Sequential(Double(), nn.Flatten(), nn.Linear(16, 4).double())
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4)))
    output = VAE(encoder, decoder, Bernoulli())(torch.rand(3, 1, 4, 4))
    assert output.z.dtype == torch.float32


class Double(nn.Module):
    """Its input in double precision."""

    def forward(self, x):
        return x.double()
