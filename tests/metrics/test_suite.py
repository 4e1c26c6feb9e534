"""All metrics at once, and what a metric's module must define."""

import importlib
import inspect
import json
import math
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import autobeta.metrics
from autobeta.metrics import printed_name, score
from autobeta.metrics._names import find
from autobeta.registry import available, describe, load

NAMES = available("metrics")
DEFAULT = {
    "betavae",
    "dci[lightgbm]",
    "dcimig[bins=20]",
    "explicitness",
    "factorvae",
    "gaussian_total_correlation",
    "infomec[neighbors=10]",
    "irs[quantile=0.99]",
    "jemmig[bins=20]",
    "mig[bins=20]",
    "modularity[bins=20]",
    "sap",
}
ON_REQUEST = {"chenmig", "gaussian_wasserstein", "mcc", "probes"}


def values(result):
    """Numbers of a result, one level down."""
    for value in result.values():
        yield from value.values() if isinstance(value, dict) else [value]


def test_default_metrics_are_scored_under_their_printed_names(points):
    codes, factors = points
    result = score(codes, factors)
    assert set(result) == DEFAULT
    dci = {"disentanglement", "completeness", "informativeness"}
    assert set(result["dci[lightgbm]"]) == dci
    assert set(result["infomec[neighbors=10]"]) == {"modularity", "compactness", "explicitness"}
    assert all(type(v) is float and 0 <= v <= 1 for v in values(result))
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_log_variances_add_the_metrics_that_need_them(points):
    codes, factors = points
    result = score(codes, factors, logvars=np.full(codes.shape, -3.0))
    assert set(result) == DEFAULT | {"rmig[bins=100]"}


def test_a_metric_that_needs_log_variances_says_so_when_asked(points):
    with pytest.raises(ValueError, match="`logvars` must be given for 'rmig'; got None"):
        score(*points, metrics=["mig", "rmig"])


def test_held_out_points_reach_the_metrics_that_fit(points):
    codes, factors = points
    test = codes[700:], factors[700:]
    result = score(codes[:700], factors[:700], test=test, metrics=["sap", "mig"])
    assert result == {
        "sap": autobeta.metrics.sap(codes[:700], factors[:700], test=test),
        "mig[bins=20]": autobeta.metrics.mig(codes[:700], factors[:700]),
    }


def test_the_seed_reaches_the_metrics(mixed):
    def once(seed):
        return score(*mixed, metrics=["factorvae"], seed=seed)

    assert once(1) == once(1) != once(2)


def test_constant_factors_are_left_out_with_a_warning(points):
    codes, factors = points
    more = np.insert(factors, 1, 4, axis=1)
    with pytest.warns(UserWarning, match=r"constant factors in columns \[1\] are left out"):
        result = score(codes, more, test=(codes, more), metrics=["mig", "sap"])
    assert result == score(codes, factors, test=(codes, factors), metrics=["mig", "sap"])


def test_factors_that_are_all_constant_are_refused(points):
    with pytest.raises(ValueError, match="all columns are constant"):
        score(points[0], 0 * points[1])


def test_an_undefined_metric_is_left_out_with_the_reason_unless_asked_for(points):
    codes, factors = points[0], points[1][:, :1]
    with pytest.warns(UserWarning, match="is left out: `factors` must have at least 2 columns"):
        result = score(codes, factors)
    compared = ("betavae", "dci[", "factorvae", "infomec", "modularity")
    assert set(result) == {name for name in DEFAULT if not name.startswith(compared)}
    with pytest.raises(ValueError, match="at least 2 columns for modularity"):
        score(codes, factors, metrics=["modularity"])


def test_the_rest_is_there_on_request(points):
    assert {n for n in NAMES if not describe("metrics", n)["DEFAULT"]} == ON_REQUEST
    names = ["chenmig", "mcc", "mcc[spearman]", "gaussian_wasserstein", "probes", "dci[lasso]"]
    codes, factors = (part[:300] for part in points)
    result = score(codes, factors, logvars=np.full(codes.shape, -3.0), metrics=names)
    printed = ["chenmig[samples=2000]", "mcc[pearson]", *names[2:]]
    assert list(result) == printed
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_printed_name_asks_for_the_same_score_again(mixed):
    found = score(*mixed)
    assert score(*mixed, metrics=list(found)) == found


def test_a_variant_is_asked_for_by_its_word_or_its_options(points):
    codes, factors = points
    result = score(codes, factors, metrics=["mig[bins=10]", "irs[quantile=1.0]", "dci[rf]"])
    assert result == {
        "mig[bins=10]": autobeta.metrics.mig(codes, factors, bins=10),
        "irs[quantile=1.0]": autobeta.metrics.irs(codes, factors, quantile=1.0),
        "dci[rf]": autobeta.metrics.dci_rf(codes, factors)._asdict(),
    }


def test_without_factors_the_scores_of_the_codes_remain(points):
    value = autobeta.metrics.gaussian_total_correlation(points[0])
    assert score(points[0]) == {"gaussian_total_correlation": value}
    with pytest.raises(ValueError, match="`factors` must be given for 'mig'; got None"):
        score(points[0], metrics=["mig"])


def test_continuous_factors_leave_the_scores_that_take_them():
    factors = np.random.default_rng(0).normal(size=(300, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = score(factors, factors)
    reasons = [str(warning.message) for warning in caught]
    assert all(re.match(r"\w+ is left out: .* Put a continuous factor", r) for r in reasons)
    assert len(reasons) == len(DEFAULT) - len(result)
    assert set(result) == {"dci[lightgbm]", "gaussian_total_correlation", "sap"}


def test_without_lightgbm_the_others_are_scored(points, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.warns(UserWarning, match="dci is left out: LightGBM must be there"):
        assert set(score(*points)) == DEFAULT - {"dci[lightgbm]"}


def test_a_copy_makes_the_total_correlation_infinite():
    z = np.random.default_rng(0).normal(size=(50, 2))
    assert score(np.hstack([z, z])) == {"gaussian_total_correlation": math.inf}


def test_an_unknown_metric_is_refused_with_the_nearest_name(points):
    with pytest.raises(ValueError, match=r"`metrics` has no 'migg'.*Did you mean 'mig'\?"):
        score(*points, metrics=["migg"])


def test_wrong_input_raises_rather_than_leaving_metrics_out(points):
    codes, factors = points
    with pytest.raises(ValueError, match="same number of points"):
        score(codes, factors[1:])
    with pytest.raises(ValueError, match="`test` must be held-out"):
        score(codes, factors, test=(codes, factors[:, 1:]))


def test_dead_latents_are_told_by_the_codes_own_scale():
    codes = np.random.default_rng(0).normal(size=(500, 4)) * [1.0, 0.01, 0.2, 0.0]
    for scale in (1e-3, 1.0, 1e3):
        live = autobeta.metrics.live_latents(scale * codes)
        assert live.tolist() == [True, False, True, False]
    assert not autobeta.metrics.live_latents(np.full((9, 2), 0.1)).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_variant_in_the_printed_name_is_the_default(name):
    facts = describe("metrics", name)
    words = facts.get("VARIANTS", {})
    asked = find(printed_name(name))
    if words:
        assert words[facts["VARIANT"]] == name
        assert all(hasattr(autobeta.metrics, function) for function in words.values())
    elif facts["VARIANT"]:
        defaults = inspect.signature(asked.func).parameters
        assert all(defaults[key].default == value for key, value in asked.keywords.items())


@pytest.mark.parametrize("name", NAMES)
def test_the_package_has_the_function_and_the_registry_the_module(name):
    module = load("metrics", name)
    assert module is importlib.import_module(f"autobeta.metrics.{name}")
    assert inspect.ismodule(module)
    assert getattr(autobeta.metrics, name) is getattr(module, name)
    assert name in autobeta.metrics.__all__


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_states_its_facts_as_literals(name):
    facts = describe("metrics", name)
    low, high = facts["RANGE"]
    assert low < high
    assert math.isfinite(low)
    assert facts["HIGHER_IS_BETTER"] in (True, False)
    assert set(facts["NEEDS"]) <= {"codes", "factors", "logvars", "test"}
    assert "https://" in facts["SOURCE"]
    assert facts["DEFAULT"] in (True, False)
    variant = facts["VARIANT"]
    assert printed_name(name) == (f"{name}[{variant}]" if variant else name)
    parameters = list(inspect.signature(getattr(autobeta.metrics, name)).parameters)
    assert parameters[:2] == ["codes", "factors"]
    assert "seed" in parameters
    assert {"logvars", "test"} & set(parameters) == {"logvars", "test"} & set(facts["NEEDS"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["factorvae", "betavae", "mig", "rmig", "irs"])
def test_the_table_of_all_of_dsprites_takes_less_than_two_gigabytes(name):
    code = f"""
import resource
import numpy as np
from autobeta.metrics import score

grid = np.indices((3, 6, 40, 32, 32)).reshape(5, -1).T
rng = np.random.default_rng(0)
codes = np.zeros((len(grid), 10), np.float32)
codes[:, :5] = grid / np.array([2, 5, 39, 31, 31])
for column in codes.T:
    column += 0.1 * rng.standard_normal(len(grid), dtype=np.float32)
logvars = np.full(codes.shape, -4, np.float32)
print(score(codes, grid.astype(np.int32), logvars=logvars, metrics=["{name}"]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)  # KiB on Linux
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    result, gigabytes = done.stdout.splitlines()
    assert name in result
    assert float(gigabytes) < 2
