"""What every method must fulfil."""

import dataclasses
import json
import math

import pytest
import torch

from autobeta import registry
from autobeta.assemble import ModelConfig, RunConfig, build_model
from autobeta.data import data_root, toy
from autobeta.methods._base import make_likelihood
from autobeta.weighting import AbstractWeighting, effective_weights

METHODS = registry.available("methods")
SHAPE = (32, 32, 1)


def make(method, **config):
    module = registry.load("methods", method)
    recipe = module.build(
        module.Config(**config), num_latents=4, num_train=100, image_shape=SHAPE, num_steps=1000
    )
    model = build_model(
        ModelConfig(architecture="burgess", num_latents=4), recipe.likelihood, SHAPE
    )
    return recipe, model


def terms_of(recipe, model):
    x = torch.rand(8, 1, 32, 32)
    return recipe.objective(x, model(x))


@pytest.mark.parametrize("method", METHODS)
def test_module_has_what_a_method_must_define(method):
    module = registry.load("methods", method)
    assert module.__doc__
    assert module.SOURCE
    assert module.CITATION.startswith("@")
    assert module.ADAPTS
    assert "Deviations:" in module.__doc__
    config = module.Config()
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.anything = 1


@pytest.mark.parametrize("method", METHODS)
def test_presets_are_settings_of_the_method(method):
    module = registry.load("methods", method)
    for settings in module.PRESETS.values():
        assert isinstance(module.Config(**settings), module.Config)


@pytest.mark.parametrize("method", METHODS)
def test_terms_are_finite_costs_in_nats_that_need_gradients(method):
    terms = terms_of(*make(method))
    assert {"reconstruction", "kl"} <= terms.keys()
    for term in terms.values():
        assert term.dtype == torch.float32
        assert term.requires_grad
        assert torch.isfinite(term).all()
    assert terms["kl"].min() >= 0


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_gets_a_gradient(method):
    recipe, model = make(method)
    terms = terms_of(recipe, model)
    step = 600  # past every warm-up
    recipe.weighting(terms, step).backward()
    for module in (model, recipe.objective, recipe.weighting):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("method", METHODS)
def test_loss_is_a_scalar_and_weights_are_finite(method):
    recipe, model = make(method)
    assert isinstance(recipe.weighting, AbstractWeighting)
    terms = terms_of(recipe, model)
    loss = recipe.weighting(terms, 0)
    assert loss.shape == ()
    weights = effective_weights(loss, terms)
    assert weights.keys() == terms.keys()
    assert all(torch.isfinite(w).all() and (w >= 0).all() for w in weights.values())


@pytest.mark.parametrize("method", METHODS)
def test_state_dict_resumes_bit_for_bit(method):
    recipe, model = make(method)
    batches = [terms_of(recipe, model) for _ in range(6)]
    losses = [recipe.weighting(t, 598 + i).item() for i, t in enumerate(batches)]
    first, _ = make(method)
    for i in range(3):
        first.weighting(batches[i], 598 + i)
    second, _ = make(method)
    second.weighting.load_state_dict(first.weighting.state_dict())
    assert [second.weighting(batches[i], 598 + i).item() for i in (3, 4, 5)] == losses[3:]


@pytest.mark.parametrize("method", METHODS)
def test_eval_moves_nothing(method):
    recipe, model = make(method)
    terms = terms_of(recipe, model)
    recipe.weighting(terms, 0)
    before = {k: v.clone() for k, v in recipe.weighting.state_dict().items()}
    recipe.weighting.eval()
    a = recipe.weighting(terms, 500).item()
    b = recipe.weighting(terms, 500).item()
    assert a == b
    after = recipe.weighting.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("method", METHODS)
def test_configuration_survives_json(method):
    config = RunConfig(method=method)
    text = json.dumps(config.to_json(toy.load(data_root())))
    assert RunConfig.from_json(json.loads(text)) == config


@pytest.mark.parametrize("method", METHODS)
def test_weighting_moves_to_double(method):
    recipe, model = make(method)
    recipe.weighting.double()
    terms = {name: term.double() for name, term in terms_of(recipe, model).items()}
    assert math.isfinite(recipe.weighting(terms, 0).item())


def test_unknown_setting_of_another_version_is_refused():
    config = RunConfig(method="vae").to_json(toy.load(data_root()))
    config["method_config"]["temperature"] = 3
    with pytest.raises(ValueError, match=r"must hold settings of this version; got .*temperature"):
        RunConfig.from_json(config)


def test_settings_of_another_method_are_refused():
    settings = registry.load("methods", "betavae").Config()
    with pytest.raises(ValueError, match="must be the Config of 'vae'"):
        RunConfig(method="vae", method_config=settings)


def test_negative_beta_is_refused():
    with pytest.raises(ValueError, match="`beta` must be at least 0; got -1"):
        make("betavae", beta=-1.0)


@pytest.mark.parametrize(
    ("method", "name"), [("dynamicvae", "schedule"), ("vae", "likelihood"), ("lvae", "unit")]
)
def test_setting_that_is_no_choice_is_refused(method, name):
    settings = registry.load("methods", method).Config()
    object.__setattr__(settings, name, "other")  # as a file edited by hand would have it
    with pytest.raises(ValueError, match=rf"`{name}` must be one of .*; got 'other'"):
        RunConfig(method=method, method_config=settings)


def test_unknown_likelihood_is_refused():
    with pytest.raises(ValueError, match="`likelihood` must be 'bernoulli' or 'gaussian'; got"):
        make_likelihood("poisson")


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_warmup_as_long_as_the_run_is_refused(method):
    with pytest.raises(ValueError, match="`warmup` must be below the run's 1000 steps; got 1000"):
        make(method, warmup=1000)


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_learned_weights_on_a_cross_entropy_of_colours_are_warned_of(method):
    module = registry.load("methods", method)
    sizes = {"num_latents": 4, "num_train": 100, "image_shape": (32, 32, 3), "num_steps": 1000}
    with pytest.warns(UserWarning, match="Use --method.likelihood gaussian"):
        module.build(module.Config(), **sizes)
    module.build(module.Config(likelihood="gaussian"), **sizes)
