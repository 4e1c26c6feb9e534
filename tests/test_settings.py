"""Settings: one rule a field, JSON both ways, what is a run's identity. None of it needs torch."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobeta import registry
from autobeta.rules import Range, check_settings
from autobeta.settings import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    identity,
    upgraded,
)

PARTS = (DataOptions, ModelConfig, TrainConfig, EvaluationConfig)
METHODS = {name: registry.load("methods", name).Config for name in registry.available("methods")}


def numeric_fields():
    for kind in (*PARTS, *METHODS.values()):
        hints = get_type_hints(kind, include_extras=True)
        for item in dataclasses.fields(kind):
            hint = hints[item.name]
            kinds = {hint, *get_args(hint), *(a for arg in get_args(hint) for a in get_args(arg))}
            if get_origin(hint) is not Literal and kinds & {int, float}:
                yield pytest.param(kind, item.name, hint, id=f"{kind.__module__}.{item.name}")


FIELDS = list(numeric_fields())


@pytest.mark.parametrize(("kind", "name", "hint"), FIELDS)
def test_every_number_has_a_rule(kind, name, hint):
    annotations = [hint, *get_args(hint)]
    rules = [r for a in annotations if get_origin(a) is Annotated for r in get_args(a)[1:]]
    assert any(isinstance(rule, Range) for rule in rules)


def refusal(check, value):
    """The sentence by which a check refuses a value; None if it takes it."""
    try:
        check(value)
    except ValueError as error:
        return str(error)
    return None


WILD = [
    0,
    -1,
    1,
    2,
    0.5,
    -0.0,
    1e-320,
    1e300,
    -1e300,
    10**30,
    10**400,
    math.nan,
    math.inf,
    -math.inf,
    True,
]


@pytest.mark.parametrize(("kind", "name", "hint"), FIELDS)
def test_a_wild_number_is_taken_or_refused_in_one_sentence(kind, name, hint):
    settings = kind()
    for value in WILD:
        changed = dataclasses.replace(settings)
        object.__setattr__(changed, name, value)  # as a file edited by hand would have it
        refused = refusal(check_settings, changed)
        if refused is None:
            assert -math.inf < value < math.inf
            json.dumps(value, allow_nan=False)
        else:
            assert refused.startswith(f"`{name}` must be ")
            assert f"; got {value!r}." in refused


@pytest.mark.parametrize("value", ["3", None, [1], {}, b"x"])
def test_a_number_of_another_type_is_refused(value):
    for kind, name in ((TrainConfig, "steps"), (TrainConfig, "lr"), (ModelConfig, "num_latents")):
        changed = kind()
        object.__setattr__(changed, name, value)
        with pytest.raises(ValueError, match=rf"`{name}` must be a (whole )?number"):
            check_settings(changed)


def test_a_choice_lists_the_choices():
    changed = TrainConfig()
    object.__setattr__(changed, "precision", "float8")
    with pytest.raises(
        ValueError, match=r"`precision` must be one of auto, float32, bf.*got 'flo"
    ):
        check_settings(changed)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("architecture", "`networks` has no 'burges'.*Did you mean 'burgess'"),
        ("likelihood", "`likelihoods` has no 'burges'"),
    ],
)
def test_a_name_that_is_none_lists_the_names(name, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**{name: "burges"})


@pytest.mark.parametrize("method", METHODS)
def test_a_configuration_survives_json(method):
    config = RunConfig(
        method=method,
        data_options=DataOptions(path=Path("/somewhere"), channels=3),
        model=ModelConfig(architecture="mlp", likelihood="gaussian"),
        train=TrainConfig(steps=7, lr=1e-4, threads=2),
    )
    text = json.dumps(config.to_json(), allow_nan=False)
    assert RunConfig.from_json(json.loads(text)) == config


@pytest.mark.parametrize("part", ["data", "model", "train", "method_config"])
def test_a_missing_field_takes_its_default(part):
    stored = RunConfig(method="dynamicvae", data="toy").to_json()
    stored[part] = {"name": "toy"} if part == "data" else {}
    assert RunConfig.from_json(stored) == RunConfig(method="dynamicvae", data="toy")


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("train", "steps", "many", "`steps` must be a whole number at least 1; got 'many'"),
        ("train", "warp", 9, "must hold settings of this version; got warp = 9"),
        ("model", "architecture", "resnet", "`networks` has no 'resnet'"),
        ("data", "test_fraction", 1.0, "`test_fraction` must be in"),
        ("data", "path", 3, "`path` must be a Path"),
        ("method_config", "beta", -1.0, "`beta` must be "),
    ],
)
def test_a_wrong_field_of_a_file_is_named(part, field, value, message):
    stored = RunConfig(method="betavae", data="toy").to_json()
    stored[part][field] = value
    with pytest.raises(ValueError, match=message):
        RunConfig.from_json(stored)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from(["format", "method", "method_config", "data", "model", "train", "name"])


@given(changes=st.dictionaries(keys, values, max_size=3), inner=st.dictionaries(keys, values))
def test_any_json_is_a_configuration_or_refused(changes, inner):
    stored = RunConfig(method="vae", data="toy").to_json()
    stored["data"] |= {key: value for key, value in inner.items() if key != "format"}
    stored |= changes
    for read in (upgraded, identity, RunConfig.from_json):
        assert refusal(read, stored) != ""


@pytest.mark.parametrize("stored", [{}, [], None, {"format": 1}, {"format": 99}, {"format": "2"}])
def test_what_is_no_configuration_is_refused(stored):
    with pytest.raises(ValueError, match=r"a configuration must have"):
        upgraded(stored)


def test_a_method_of_another_name_is_refused():
    with pytest.raises(ValueError, match=r"Did you mean 'dynamicvae'\?"):
        RunConfig(method="dynamicvea")


def test_identity_leaves_out_how_a_run_is_carried_out_and_where_its_images_lie():
    a = RunConfig(method="vae", data="toy", train=TrainConfig(device="cpu")).to_json()
    b = RunConfig(
        method="vae",
        data="toy",
        data_options=DataOptions(path=Path("/elsewhere")),
        train=TrainConfig(log_every=7, checkpoint_every=3, threads=5, checkpoint_minutes=1.0),
    ).to_json()
    assert identity(a) == identity(b)
    c = RunConfig(method="vae", data="toy", train=TrainConfig(seed=1)).to_json()
    assert {k for k in identity(a) if identity(a)[k] != identity(c)[k]} == {"train.seed"}


def test_own_images_are_known_by_their_fingerprint():
    a, b = (RunConfig(method="vae", data=f"/photos/{name}").to_json() for name in "ab")
    assert identity(a) == identity(b)
    a["data"]["fingerprint"], b["data"]["fingerprint"] = "1", "2"
    assert identity(a) != identity(b)


def test_settings_need_no_torch():
    code = (
        "import sys; from autobeta.settings import TrainConfig, ModelConfig, identity\n"
        "TrainConfig(), ModelConfig(); identity({'format': 2, 'method': 'dynamicvae',\n"
        "'method_config': {}, 'data': {'name': 'toy'}, 'model': {}, 'train': {}})\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("method", ["lvae", "mdlvae"])
def test_weights_of_a_stored_run_are_moved_as_they_were(method):
    now = RunConfig(method=method).to_json()
    assert RunConfig.from_json(now).method_config.weight_optimizer == "natural"
    own = {"regulariser": "log", "unit": "nats", "start": "ones", "warmup": 0, "weight_lr": 5e-4}
    for form in (2, 3):
        found = RunConfig.from_json({**now, "format": form, "method_config": own}).method_config
        assert (found.weight_optimizer, found.beta_initial) == ("adam", 0.0)
        assert (found.warmup, found.weight_lr) == (0, 5e-4)


def test_a_whole_number_that_no_float_holds_is_refused_by_name():
    with pytest.raises(ValueError, match=r"`steps` must be a whole number of at most 1e\+300, at"):
        TrainConfig(steps=10**320)
