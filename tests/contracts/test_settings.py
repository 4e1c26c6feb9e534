"""Every numeric setting of every method with wild values: refused by name, or a run that works."""

import math
import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from autobeta import registry
from autobeta.methods import Facts
from autobeta.models import VAE, Bernoulli
from autobeta.weighting import effective_weights

METHODS = registry.available("methods")
FACTS = Facts(
    num_latents=3, num_train=50, image_shape=(4, 4, 1), num_steps=1000, likelihood=Bernoulli()
)
SIZES = [5e-324, 1e-30, 1e-9, 1e-3, 0.5, 1.0, 2.5, 1e9, 1e39, 1e308, math.inf]
FLOATS = [0.0, -0.0, math.nan, *SIZES, *(-size for size in SIZES)]
INTS = [0, -1, 1, 2, 999, 1000, 10_000, 2**63, 10**300]


def numeric(config):
    """Names of a Config's numeric fields, and the values to try."""
    for name, hint in typing.get_type_hints(config, include_extras=True).items():
        kinds = [hint, *typing.get_args(hint)]
        bare = {typing.get_args(kind)[0] if typing.get_args(kind) else kind for kind in kinds}
        if {int, float} & bare:
            yield name, INTS if int in bare else FLOATS


CASES = [
    (method, name, values)
    for method in METHODS
    for name, values in numeric(registry.load("methods", method).Config)
]


def trained(recipe, steps=3):
    """Three updates of a small network; everything that a run computes must stay finite."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
    decoder = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
    model = VAE(encoder, decoder, recipe.likelihood or FACTS.likelihood)
    groups = [{"params": list(model.parameters())}]
    if own := list(recipe.weighting.parameters()):
        groups.append({"params": own, "lr": recipe.weighting_lr})
    optimizer = torch.optim.Adam(groups, 5e-4)
    for step in range(steps):
        x = torch.rand(8, 1, 4, 4)
        terms = recipe.objective(x, model(x))
        loss = recipe.weighting(terms, step)
        for found in [loss, *terms.values(), *effective_weights(loss, terms).values()]:
            assert torch.isfinite(found).all()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for tensor in [*model.parameters(), *recipe.weighting.state_dict().values()]:
        assert torch.isfinite(tensor).all()


def refusal(module, **settings):
    """The sentence by which settings are refused; None if they are built and trained."""
    try:
        recipe = module.build(module.Config(**settings), FACTS)
    except ValueError as error:
        return str(error)
    trained(recipe)
    return None


NEEDED = {("geco", "rate"): {"target": 60.0}}  # what a setting is refused without


def names_one_of(said, settings):
    return any(f"`{name}`" in said for name in settings)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of runs that are short for their settings
@pytest.mark.parametrize(
    ("method", "name", "values"), CASES, ids=[f"{method}-{name}" for method, name, _ in CASES]
)
def test_wild_number_is_refused_by_name_or_works(method, name, values):
    module, beside = registry.load("methods", method), NEEDED.get((method, name), {})
    said = {repr(value): refusal(module, **{**beside, name: value}) for value in values}
    assert None in said.values()
    for value in values:
        refused = said[repr(value)]
        assert math.isfinite(value) if refused is None else names_one_of(refused, [name])


@st.composite
def settings_of(draw, config):
    """Two numeric settings of a method, plain and wild values mixed, and every choice."""
    hints = typing.get_type_hints(config)
    found = {
        name: draw(st.sampled_from(typing.get_args(hint)))
        for name, hint in hints.items()
        if typing.get_origin(hint) is typing.Literal
    }
    known = dict(numeric(config))
    names = draw(st.lists(st.sampled_from(sorted(known)), max_size=2, unique=True))
    return found | {name: draw(st.sampled_from(known[name])) for name in names}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("method", [name for name in METHODS if name != "vae"])
@given(data=st.data())
def test_settings_together_are_refused_by_name_or_work(method, data):
    module = registry.load("methods", method)
    settings = data.draw(settings_of(module.Config))
    said = refusal(module, **settings)
    assert said is None or names_one_of(said, settings), said
