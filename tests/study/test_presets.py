import functools
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autobeta import cli, registry
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.study.definition import read_definition
from autobeta.study.grid import plan
from autobeta.study.presets import preset_file, presets, title

ROOT = Path(__file__).parents[2]
COLOURS = {"mpi3d", "falcor3d", "isaac3d", "shapes3d", "cars3d", "chairs3d", "celeba"}


@functools.cache
def runs_of(name, scale=1.0):
    """The runs of at most two seeds, of which some presets have many."""
    definition = read_definition(preset_file(name))
    return plan(definition._replace(seeds=definition.seeds[:2]), scale=scale)


def images_like(data):
    """Random images of the shape that a data set has."""
    channels = 3 if data in COLOURS else 1
    return np.random.default_rng(0).integers(0, 256, (160, 64, 64, channels), np.uint8)


@pytest.mark.whole
@pytest.mark.parametrize("name", presets())
def test_a_preset_states_its_source_and_is_planned_at_any_scale(name):
    document = read_definition(preset_file(name)).document
    assert document["title"]
    assert document["source"]
    assert preset_file(name).read_text().startswith("#"), "the file says what is not published"
    whole, small = runs_of(name), runs_of(name, 0.02)
    assert [run.config.train.steps for run in small] == [
        round(0.02 * run.config.train.steps) for run in whole
    ]
    assert len({run.name for run in [*whole, *small]}) == 2 * len(whole)


EVERY = [(name, scale) for name in presets() for scale in (1.0, 0.02)]
BY_DEFAULT = [("cpu-small", 0.02), ("dynamicvae-dsprites", 0.02), ("lvae-paper", 0.02)]


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "scale"),
    [pytest.param(*c, marks=[] if c in BY_DEFAULT else pytest.mark.slow) for c in EVERY],
)
@pytest.mark.filterwarnings("ignore:`likelihood` gaussian is not used. sigmavae brings its own")
def test_every_method_of_a_preset_builds_and_takes_a_step(name, scale):
    # `build` has copies of the parts take a step; a schedule that the run cuts short would warn
    kinds = {}
    for run in runs_of(name, scale):
        choices = [v for v in vars(run.config.method_config).values() if isinstance(v, str)]
        key = (run.config.method, run.config.data in COLOURS, run.config.model, *choices)
        kinds.setdefault(key, run)
    for run in kinds.values():
        torch.manual_seed(0)
        options = replace(run.config.data_options, variant=None)  # an array has none
        config = replace(run.config, data_options=options)
        parts = build(config, Objects(data=images_like(run.config.data)))
        assert parts.state.step == 0


def test_what_a_preset_trains_is_really_trained(tmp_path):
    from autobeta import EvaluationConfig, train

    (first, *_) = runs_of("cpu-small", 0.0001)
    assert first.config.train.steps == 1
    few = EvaluationConfig(num_points=40, metrics=("mig",), num_pictures=2)
    run = train(replace(first.config, data="toy"), tmp_path / "run", evaluation=few)
    assert (run.folder / "metrics.json").exists()


def test_disentanglement_libs_study_has_its_six_methods_with_six_settings_each():
    runs = [run.config for run in runs_of("disentanglement-lib") if run.config.data == "dsprites"]
    assert len(runs) == 36 * 2
    found = {(c.method, str(vars(c.method_config))) for c in runs}
    assert len(found) == 36
    kinds = [c.method_config.kind for c in runs if c.method == "dipvae"]
    assert kinds.count("i") == kinds.count("ii") == 6 * 2
    assert read_definition(preset_file("disentanglement-lib")).seeds == [*range(50)]
    same = {(c.train.steps, c.train.batch_size, c.train.lr) for c in runs}
    assert same == {(300_000, 64, 1e-4)}


def test_the_lvae_papers_methods_and_data_are_those_of_its_abstract():
    runs = [run.config for run in runs_of("lvae-paper")]
    assert {c.method for c in runs} == {
        *("vae", "betavae", "controlvae", "dynamicvae", "sigmavae", "lvae")
    }
    assert {c.data for c in runs} == {"dsprites", "mpi3d", "falcor3d", "isaac3d"}
    likelihoods = {(c.data, c.model.likelihood) for c in runs}
    assert ("dsprites", "bernoulli") in likelihoods
    assert ("mpi3d", "gaussian") in likelihoods
    controlled = {c.data: c.method_config for c in runs if c.method == "dynamicvae"}
    assert controlled["dsprites"].ki == 2 * controlled["isaac3d"].ki == -0.005


def test_the_page_on_studies_lists_every_preset_with_its_number_of_runs():
    page = (ROOT / "docs" / "studies.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([\d,]+) \| [^|]+ \|$", page, re.MULTILINE))
    assert set(rows) == set(presets())
    for name, number in rows.items():
        seeds = len(read_definition(preset_file(name)).seeds)
        assert int(number.replace(",", "")) == len(runs_of(name)) * seeds // min(seeds, 2)


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"`preset` must be one of cpu-small.*'cpu-smal'\. Did you"
    ):
        preset_file("cpu-smal")


def test_list_names_studies_and_launchers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in presets())
    assert cli.main(["list", "studies"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and title(name) in out for name in presets())
    assert cli.main(["list", "launchers"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in registry.available("study/launchers"))


def test_list_shows_all_about_one_study(capsys):
    assert cli.main(["list", "studies", "lvae-paper"]) == 0
    out = capsys.readouterr().out
    assert preset_file("lvae-paper").read_text() in out
    assert "autobeta study run --preset lvae-paper" in out
    assert cli.main(["list", "studies", "lvae-papre"]) == 1
    assert "Did you mean 'lvae-paper'?" in capsys.readouterr().err


@pytest.mark.slow
def test_the_wheel_has_the_presets(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*command, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"autobeta/study/presets/{name}.toml" for name in presets()} <= set(names)
