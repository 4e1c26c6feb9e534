"""All metrics at once, and what a metric's module must define."""

import importlib
import inspect
import json
import math
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import autobeta.metrics
from autobeta.metrics import check_metrics, printed_name, score
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


def test_factors_that_are_all_constant_leave_the_scores_of_the_codes(points):
    codes, factors = points
    with pytest.raises(ValueError, match="all columns are constant"):
        score(codes, 0 * factors, metrics=["mig"])
    with pytest.warns(UserWarning, match=r"constant factors in columns \[0, 1\] are left out"):
        result = score(codes, 0 * factors, test=(codes, factors))
    assert set(result) == {"gaussian_total_correlation"}


def test_a_column_that_numbers_the_rows_is_left_out_unless_a_metric_is_asked_for(points):
    codes, factors = (part[:200] for part in points)
    more = np.insert(factors, 1, np.arange(200), axis=1)
    with pytest.warns(UserWarning, match=r"too many values in columns \[1\] are left out"):
        assert score(codes, more) == score(codes, factors)
    for name in ("mig", "dci", "factorvae", "sap"):
        with pytest.raises(ValueError, match=r"values in \d+ points in column 1\. Leave out"):
            score(codes, more, metrics=[name])


@pytest.mark.parametrize("num_points", [0, 1, 2, 5, 11])
def test_few_points_leave_out_what_they_can_not_give(num_points, points):
    codes, factors = (part[:num_points] for part in points)
    held = tuple(part[num_points : num_points + 1] for part in points)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = score(codes, factors, logvars=np.zeros(codes.shape), test=held)
    assert len(result) < len(DEFAULT)
    text = " ".join(str(warning.message) for warning in caught)
    assert "left out" in text
    assert np.isfinite(list(values(result))).all() or "total_correlation is inf" in text


def test_an_undefined_metric_is_left_out_with_the_reason_unless_asked_for(points):
    codes, factors = points[0], points[1][:, :1]
    with pytest.warns(UserWarning, match=r"left out: .*`factors` must have at least 2 columns"):
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


@pytest.mark.whole
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
    assert len(reasons) == 1
    assert re.match(r"left out: \w+, .* Put a continuous factor", reasons[0])
    assert set(result) == {"dci[lightgbm]", "gaussian_total_correlation", "sap"}


def test_without_lightgbm_the_others_are_scored(points, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.warns(UserWarning, match=r"left out: dci\. LightGBM must be there"):
        assert set(score(*points)) == DEFAULT - {"dci[lightgbm]"}


def test_a_copy_makes_the_total_correlation_infinite():
    z = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.warns(UserWarning, match="total_correlation is inf: a latent is a linear"):
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


def test_dead_latents_are_told_by_their_own_noise():
    codes = np.random.default_rng(0).normal(size=(500, 4)) * [1.0, 0.01, 0.2, 0.0]
    for scale in (1e-3, 1.0, 1e3):
        logvars = np.tile(2 * np.log(scale * np.array([0.1, 1.0, 0.9, 1e-9])), (500, 1))
        live = autobeta.metrics.live_latents(scale * codes, logvars)
        assert live.tolist() == [True, False, True, False]
        assert autobeta.metrics.live_latents(scale * codes).tolist() == [True] * 3 + [False]
    assert not autobeta.metrics.live_latents(np.full((9, 2), 0.1)).any()


def test_without_log_variances_latents_that_may_be_dead_are_named(points):
    codes = points[0] * np.where(np.arange(10) < 7, 1, 0.01)
    with pytest.warns(UserWarning, match=r"latents \[7, 8, 9\] vary little.* live in modularity"):
        score(codes, points[1], metrics=["mig", "modularity"])
    score(codes, points[1], logvars=0 * codes, metrics=["mig", "modularity"])


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (["migg"], {}, r"Did you mean 'mig'\?"),
        (["mig[bins=1]"], {}, r"`bins` must be in \[2, 10,000\]; got 1"),
        (["mig[bins=0]"], {}, r"got 0"),
        (["jemmig[bins=-3]"], {}, r"got -3"),
        (["mig[bins=nan]"], {}, r"`bins` of mig must be a number in \[2, .*got 'nan'"),
        (["irs[quantile=nan]"], {}, r"`quantile` must be in \[0.0, 1.0\]; got nan"),
        (["sap[c=inf]"], {}, r"`c` must be in .*; got inf"),
        (["factorvae[num_train=1000000000000]"], {}, r"`num_train` must be in "),
        (["mig[bins=20,bins=30]"], {}, r"`bins` of mig must be given once; got 'bins=20,bins=30'"),
        (["mig"], {"has_factors": False}, "`factors` must be given for 'mig'; got None"),
        (["sap", "rmig"], {"has_logvars": False}, "`logvars` must be given for 'rmig'; got None"),
    ],
)
def test_what_can_not_be_computed_is_known_before_there_are_codes(names, given, message):
    with pytest.raises(ValueError, match=message):
        check_metrics(names, **given)


def test_names_must_be_a_list():
    with pytest.raises(TypeError, match=r"`metrics` must be a list of names such as \['mig'\]"):
        check_metrics("mig")


@pytest.mark.parametrize("name", NAMES)
def test_the_ranges_of_options_hold_the_defaults_and_nothing_is_without_one(name):
    ranges = describe("metrics", name).get("OPTIONS", {})
    defaults = inspect.signature(getattr(autobeta.metrics, name)).parameters
    numeric = {k for k, p in defaults.items() if type(p.default) in (int, float)}
    assert set(ranges) == numeric - {"seed", "n_jobs"}
    for key, (low, high) in ranges.items():
        assert type(low) is type(high) is type(defaults[key].default)
        assert low <= defaults[key].default <= high
        check_metrics([f"{name}[{key}={low}]", f"{name}[{key}={high}]"])


def test_the_same_options_have_the_same_printed_name():
    assert printed_name("irs[quantile=1]") == printed_name("irs[quantile=1.00]")
    assert printed_name("mig[bins=020]") == printed_name("mig") == "mig[bins=20]"


@pytest.mark.parametrize("name", NAMES)
def test_the_variant_in_the_printed_name_is_the_default(name):
    facts = describe("metrics", name)
    words = facts.get("VARIANTS", {})
    asked = find(printed_name(name))
    if words:
        assert facts["VARIANT"] in words or "OPTIONS" in facts
        assert all(hasattr(autobeta.metrics, function) for function in words.values())
    elif facts.get("VARIANT"):
        defaults = inspect.signature(asked.func).parameters
        assert all(defaults[key].default == value for key, value in asked.keywords.items())


def test_variants_and_classes_are_found_in_the_files_of_metrics():
    from autobeta.metrics import DCI, InfoMEC, dci_gbt, infomec_discrete, mcc_spearman

    assert isinstance(dci_gbt, type(mcc_spearman))
    assert DCI._fields != InfoMEC._fields
    assert infomec_discrete.__module__ == "autobeta.metrics.infomec"
    for name in ("no_such_metric", "np", "_no"):
        assert not hasattr(autobeta.metrics, name)
    with pytest.raises(ImportError, match="cannot import name 'no_such_metric'"):
        from autobeta.metrics import no_such_metric  # noqa: F401


@pytest.mark.whole
def test_a_new_file_is_a_metric_at_once(tmp_path):
    """In a process of its own, with a copy of the package and one more file."""
    package = Path(autobeta.metrics.__file__).parents[1]
    shutil.copytree(package, tmp_path / "autobeta", ignore=shutil.ignore_patterns("__pycache__"))
    text = (package / "metrics" / "mig.py").read_text("utf-8")
    (tmp_path / "autobeta/metrics/gap.py").write_text(
        text.replace("def mig(", "def gap("), "utf-8"
    )
    code = """
import importlib
importlib.import_module("autobeta.metrics.mig")  # as the registry does
import autobeta.metrics.sap
from autobeta.metrics import gap, mig, sap, score
v = [[0, 0], [0, 1], [1, 0], [1, 1]] * 10
assert callable(sap) and callable(autobeta.metrics.sap) and callable(autobeta.metrics.mig)
assert gap(v, v) == mig(v, v) == score(v, v, metrics=["gap"])["gap[bins=20]"] == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


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
    assert set(facts["NEEDS"]) <= {"codes", "factors", "logvars"}
    assert "https://" in facts["SOURCE"]
    assert facts["DEFAULT"] in (True, False)
    variant = facts.get("VARIANT")
    assert printed_name(name) == (f"{name}[{variant}]" if variant else name)
    parameters = list(inspect.signature(getattr(autobeta.metrics, name)).parameters)
    assert parameters[:2] == ["codes", "factors"]
    assert "seed" in parameters
    assert "logvars" in parameters or not {"logvars", "DEAD_RULE"} & {*facts, *facts["NEEDS"]}


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


def test_tensors_are_scored_as_the_arrays_that_they_hold(points):
    codes, factors = points
    wide, factors_too = torch.tensor(codes, requires_grad=True), torch.tensor(factors)
    found = score(wide, factors_too, metrics=["mig", "sap"])
    assert found == score(codes, factors, metrics=["mig", "sap"])
    narrow = wide.to(torch.bfloat16)
    held = narrow.detach().float().numpy()
    assert score(narrow, factors, metrics=["mig"]) == score(held, factors, metrics=["mig"])
