"""What every method must fulfil."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
import torch

from autobeta import registry
from autobeta.control import Convention, convert_beta
from autobeta.methods import Facts
from autobeta.models import (
    VAE,
    Bernoulli,
    ContinuousBernoulli,
    LearnedSigmaGaussian,
    OptimalSigmaGaussian,
    VAEOutput,
    entropy,
)
from autobeta.models.networks import burgess
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.settings import ModelConfig, RunConfig, TrainConfig
from autobeta.weighting import (
    AbstractWeighting,
    CapacityKL,
    LearnedWeights,
    ReconstructionConstraint,
    effective_weights,
)

METHODS = registry.available("methods")
SHAPE = (32, 32, 1)


def facts_of(**changed):
    known = {"num_latents": 4, "num_train": 100, "image_shape": SHAPE, "num_steps": 1000}
    return Facts(**{**known, "likelihood": Bernoulli(), **changed})


def make(method, **config):
    module = registry.load("methods", method)
    facts = facts_of()
    recipe = module.build(module.Config(**config), facts)
    likelihood = recipe.likelihood or facts.likelihood
    return recipe, VAE(burgess.encoder(SHAPE, 4), burgess.decoder(SHAPE, 4), likelihood)


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
    own = {field.name for field in dataclasses.fields(module.Config)}
    for preset in module.PRESETS.values():
        rest = {key: value for key, value in preset.items() if key not in own}
        assert module.Config(**{key: preset[key] for key in preset.keys() & own})
        parts = {
            field.name: kind
            for kind in (ModelConfig, TrainConfig)
            for field in dataclasses.fields(kind)
        }
        for key, value in rest.items():
            assert parts[key](**{key: value})


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
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize("method", METHODS)
def test_weighting_moves_to_double(method):
    recipe, model = make(method)
    recipe.weighting.double()
    terms = {name: term.double() for name, term in terms_of(recipe, model).items()}
    assert math.isfinite(recipe.weighting(terms, 0).item())


def test_negative_beta_is_refused():
    with pytest.raises(ValueError, match=r"`beta` must be in \[0, 1e\+09\]; got -1.*default is 4"):
        make("betavae", beta=-1.0)


@pytest.mark.parametrize(("method", "name"), [("dynamicvae", "schedule"), ("lvae", "unit")])
def test_setting_that_is_no_choice_is_refused(method, name):
    config = registry.load("methods", method).Config()
    object.__setattr__(config, name, "other")  # the type checker of the tests comes first
    with pytest.raises(ValueError, match=rf"`{name}` must be one of .*; got 'other'"):
        config.__post_init__()


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_learned_weights_have_what_their_optimizer_needs(method):
    for name in ("adam", "adam_short", "rmsprop"):
        recipe, _ = make(method, weight_optimizer=name, beta_initial=0.0, weight_lr=0.01)
        assert isinstance(recipe.weighting, LearnedWeights)
        assert recipe.weighting_lr == 0.01
    message = "`beta_initial` must be positive for `weight_optimizer` natural; got 0. Take 1"
    with pytest.raises(ValueError, match=message):
        make(method, beta_initial=0.0)


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_warmup_as_long_as_the_run_is_refused(method):
    with pytest.raises(ValueError, match="`warmup` must be below the run's 1000 steps; got 1000"):
        make(method, warmup=1000)


@pytest.mark.parametrize("method", ["lvae", "mdlvae", "geco"])
def test_learned_weights_and_targets_see_no_entropy_of_the_images(method):
    recipe, model = make(method)
    x = torch.rand(4, SHAPE[2], *SHAPE[:2])
    output = model(x)
    found = recipe.objective(x, output)["reconstruction"]
    whole = output.likelihood.nll(output.outputs, x).mean()
    torch.testing.assert_close(found, whole - entropy(x).mean())
    black = (x > 0.5).float()
    output = model(black)
    found = recipe.objective(black, output)["reconstruction"]
    torch.testing.assert_close(found, output.likelihood.nll(output.outputs, black).mean())


@pytest.mark.parametrize(
    ("settings", "num_steps", "there"),
    [({}, 30_000, 1000), ({}, 2000, 1000), ({}, 500, 400), ({"rising": 0.3}, 30_000, 9000)],
    ids=["long", "short", "very short", "given"],
)
def test_controlvaes_set_point_is_there_early_whatever_the_runs_length(settings, num_steps, there):
    module = registry.load("methods", "controlvae")
    weighting = module.build(module.Config(**settings), facts_of(num_steps=num_steps)).weighting
    found = []
    for step in (round(0.8 * there), round(1.02 * there), num_steps - 1):
        weighting({"reconstruction": torch.ones(()), "kl": torch.ones(())}, step)
        found.append(float(weighting.controller.target))
    assert found[0] < 17
    assert found[1:] == [18, 18]


@pytest.mark.parametrize(
    ("method", "end", "numbers"),
    [
        ("annealedvae", "capacity", "0.25 of 25"),
        ("controlvae", "target", "0.5 of 18"),
        ("dynamicvae", "target", "0.5 of 20"),
    ],
)
def test_run_too_short_for_its_schedule_is_warned_of_and_the_advice_works(method, end, numbers):
    module, config = registry.load("methods", method), {"schedule": "paper"}
    with pytest.warns(UserWarning, match=rf"reaches {numbers} nats in a run of 1,000") as found:
        module.build(module.Config(**config), facts_of())
    long = int(re.search(r"it needs ([\d,]+)", str(found[0].message))[1].replace(",", ""))
    weighting = module.build(module.Config(**config), facts_of(num_steps=long)).weighting
    planned = getattr(weighting, "_target", None) or weighting._capacity
    assert planned(long - 1) == getattr(module.Config(), end)
    assert planned(long - 2) < planned(long - 1)
    module.build(module.Config(schedule="fitted"), facts_of())  # warns of nothing


def test_multiplier_that_hardly_moves_is_warned_of_and_the_advice_works():
    module = registry.load("methods", "geco")
    with pytest.warns(UserWarning, match=r"factor of 1\.11 in a run of 100 steps") as found:
        module.build(module.Config(target=60.0, rate=1e-4), facts_of(num_steps=100))
    advised = float(re.search(r"max-change: (\S+) allows", str(found[0].message))[1])
    config = module.Config(target=60.0, rate=1e-4, max_change=advised)
    module.build(config, facts_of(num_steps=100))
    module.build(module.Config(), facts_of(num_steps=100))  # fitted: warns of nothing


def test_a_rate_in_nats_needs_a_target():
    with pytest.raises(ValueError, match=r"`target` must be given with a `rate`.*got None"):
        make("geco", rate=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 60.0, "warmup": 0.2}, "`warmup` and `beta_initial` must be left out with a"),
        (
            {"target": 60.0, "beta_initial": 0.1},
            r"`beta_initial` must be left .*; got 0.5 and 0.1",
        ),
        ({"warmup": 0.0}, "`warmup` must take at least a step of the run's .* got 0.0"),
        (
            {"beta_initial": 1e-6},
            "`beta_initial` must be from `beta_min`, 0.0001, to .* got 1e-06",
        ),
    ],
    ids=["warm-up", "beta", "no warm-up", "bound"],
)
def test_settings_of_geco_that_could_do_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make("geco", **settings)


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
@pytest.mark.parametrize("optimizer", ["natural", "adam"])
def test_no_fixed_point_is_taken_of_an_untrained_network(method, optimizer):
    with pytest.raises(ValueError, match=r"`warmup` must be at least 2 steps for `start` fixed"):
        make(method, start="fixed_point", weight_optimizer=optimizer)


def test_a_stored_run_of_annealedvae_keeps_the_published_pull():
    stored = RunConfig(method="annealedvae").to_json()
    known = {"gamma": 1000.0, "capacity": 25.0, "schedule": "fitted", "rising": 0.33}
    stored["method_config"] = {**known, "period": 100_000}
    config = RunConfig.from_json({**stored, "format": 3}).method_config
    weighting = registry.load("methods", "annealedvae").build(config, facts_of()).weighting
    assert isinstance(weighting, CapacityKL)
    terms = {"reconstruction": torch.tensor(0.0), "kl": torch.tensor(26.0)}
    assert weighting(terms, 330).item() == 1000.0


def test_a_stored_run_of_geco_keeps_the_published_multiplier():
    stored = RunConfig(method="geco").to_json()
    stored["method_config"] = {"target": 60.0, "decay": 0.99, "rate": 1e-4, "max_change": 0.001}
    config = RunConfig.from_json({**stored, "format": 3}).method_config
    weighting = registry.load("methods", "geco").build(config, facts_of(num_steps=5000)).weighting
    assert isinstance(weighting, ReconstructionConstraint)
    assert weighting.target == 60.0


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_warmup_over_half_of_the_run_is_warned_of(method):
    with pytest.warns(UserWarning, match="`warmup` takes 501 of .* learned in 499"):
        make(method, warmup=501)
    make(method, warmup=500)


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
@pytest.mark.parametrize(
    "likelihood", [LearnedSigmaGaussian, OptimalSigmaGaussian, ContinuousBernoulli]
)
def test_learned_weights_on_a_density_are_warned_of(method, likelihood):
    module = registry.load("methods", method)
    with pytest.warns(UserWarning, match="is a density with its constants"):
        module.build(module.Config(), facts_of(likelihood=likelihood()))


@pytest.mark.parametrize("method", METHODS)
def test_smallest_batch_that_an_objective_names_is_enough(method):
    recipe, model = make(method)
    batch = recipe.objective.min_batch
    terms = recipe.objective(torch.rand(batch, 1, 32, 32), model(torch.rand(batch, 1, 32, 32)))
    assert all(torch.isfinite(term).all() for term in terms.values())


def counts(recipe, model, x):
    """Terms of a batch, and the adversary's loss where there is one, without noise."""
    posterior = model.encode(x)
    z = posterior.mean
    output = VAEOutput(posterior, z, model.decoder(z), model.likelihood)
    found = [term.sum() for term in recipe.objective(x, output).values()]
    if isinstance(recipe.objective, AbstractAdversarialObjective):
        found.append(recipe.objective.adversary_loss(output))
    return torch.stack(found)


@pytest.mark.parametrize("method", METHODS)
def test_who_says_that_images_count_together_has_other_terms_of_two_halves(method):
    recipe, model = make(method)
    x = torch.rand(8, 1, 32, 32)
    x[4:] *= 0.2
    halves = (counts(recipe, model, x[:4]) + counts(recipe, model, x[4:])) / 2
    alike = torch.allclose(counts(recipe, model, x), halves, rtol=1e-5)
    assert alike == (not (recipe.objective.couples_images or model.likelihood.couples_images))


PRESETS = [
    (method, name, settings)
    for method in METHODS
    for name, settings in registry.load("methods", method).PRESETS.items()
]


@pytest.mark.parametrize(
    ("method", "name", "settings"), PRESETS, ids=[f"{m}-{name}" for m, name, _ in PRESETS]
)
def test_docs_have_what_each_preset_sets(method, name, settings):
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith(f"| `{method}` `{name}` |")]
    assert len(rows) == 1
    said = ", ".join(f"{key} {value}" for key, value in settings.items())
    assert f"| {said} |" in rows[0]


def test_presets_from_the_whole_squared_error_are_half_of_the_published():
    theirs = Convention(distortion="squared_error")
    ours = Convention(distortion="half_squared_error")

    def halved(beta):
        return convert_beta(beta, theirs, ours, num_values=64 * 64, num_latents=10)

    betavae, dynamicvae = (registry.load("methods", m).PRESETS for m in ("betavae", "dynamicvae"))
    assert betavae["chairs3d"]["beta"] == halved(4.0)
    assert betavae["celeba"]["beta"] == halved(10.0)
    norb = dynamicvae["paper-smallnorb"]
    assert (norb["beta_initial"], norb["beta_min"]) == (halved(90.0), halved(0.1))
    assert (norb["kp"], norb["ki"]) == (halved(0.01), -halved(0.005))
    for preset in (betavae["chairs3d"], betavae["celeba"], norb):
        assert preset["likelihood"] == "gaussian_logistic"


def test_cycles_of_a_step_have_no_beta_and_are_refused():
    module = registry.load("methods", "cyclicalvae")
    with pytest.raises(ValueError, match=r"`cycles` must be below the run's 40 steps, .* got 40"):
        module.build(module.Config(cycles=40), facts_of(num_steps=40))
    module.build(module.Config(cycles=39), facts_of(num_steps=40))
