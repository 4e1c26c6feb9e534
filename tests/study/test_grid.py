import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from autobeta import cli
from autobeta.cli.study import StudyFlags, _definition
from autobeta.settings import DataOptions, ModelConfig, RunConfig, TrainConfig
from autobeta.study.definition import StudyFileError, define
from autobeta.study.grid import plan, run_name, scaled

BASE = {"methods": ["betavae"], "data": ["toy"]}


def runs(document=None, folder=None, **more):
    document = {**BASE, **(document or {}), **more}
    return [r.config for r in plan(define(document, *([folder] if folder else [])))]


def names(**more):
    return [run.name for run in plan(define({**BASE, **more}))]


def test_each_combination_of_a_grid_is_a_run():
    found = runs(
        methods=["betavae", "vae"],
        seeds="0-1",
        train={"lr": [1e-3, 1e-4]},
        method={"betavae": {"beta": [1, 2, 3]}},
    )
    assert len(found) == 2 * 2 * (3 + 1)
    of_beta = [(c.train.seed, c.train.lr, c.method_config.beta) for c in found if "b" in c.method]
    assert sorted(of_beta) == sorted(itertools.product([0, 1], [1e-3, 1e-4], [1.0, 2.0, 3.0]))


def test_the_first_seed_of_everything_comes_before_the_second():
    found = runs(
        methods=["vae", "betavae"],
        data=["toy", "dsprites"],
        seeds=[3, 1],
        method={"betavae": {"beta": [2, 1]}},
    )
    order = [(c.train.seed, c.data, c.method) for c in found]
    one = [(data, m) for data in ("toy", "dsprites") for m in ("vae", "betavae", "betavae")]
    assert order == [(seed, *rest) for seed in (3, 1) for rest in one]
    betas = [c.method_config.beta for c in found if c.method == "betavae"]
    assert betas == [2.0, 1.0] * 4


def test_a_later_table_wins_over_an_earlier_one():
    document = {
        **{"methods": ["betavae", "vae"], "data": ["toy", "dsprites"]},
        "train": {"lr": 0.1, "steps": 10, "batch_size": 5},
        "dataset": {
            "toy": {
                "train": {"lr": 0.2, "steps": 20},
                "model": {"num_latents": 3},
                "image_size": 32,
                "method": {"betavae": {"train": {"lr": 0.4}, "beta": 7}},
            }
        },
        "method": {"betavae": {"train": {"lr": 0.3}, "beta": 5}},
        "options": {"image_size": 64},
    }
    found = {(c.data, c.method): c for c in runs(document)}
    shown = {
        key: (c.train.lr, c.train.steps, c.train.batch_size, c.model.num_latents)
        for key, c in found.items()
    }
    assert shown == {
        ("dsprites", "vae"): (0.1, 10, 5, 10),
        ("dsprites", "betavae"): (0.3, 10, 5, 10),
        ("toy", "vae"): (0.2, 20, 5, 3),
        ("toy", "betavae"): (0.4, 20, 5, 3),
    }
    assert found["toy", "betavae"].method_config.beta == 7
    assert found["dsprites", "betavae"].method_config.beta == 5
    assert found["toy", "vae"].data_options.image_size == 32
    assert found["dsprites", "vae"].data_options.image_size == 64


def test_a_preset_of_a_method_wins_over_common_settings_and_loses_to_the_methods_own():
    (found,) = runs(
        methods=["dynamicvae"],
        train={"lr": 0.1, "batch_size": 3},
        method={"dynamicvae": {"preset": "paper", "target": 3, "train": {"batch_size": 7}}},
    )
    assert found.train.lr == 1e-4
    assert found.train.batch_size == 7
    assert found.method_config.controller == "incremental"
    assert found.method_config.target == 3
    assert found.model.likelihood == "bernoulli"


def test_an_array_of_tables_is_one_setting_after_the_other():
    tables = [{"beta": [1, 2], "train": {"lr": 0.1}}, {"beta": 5}]
    found = runs(method={"betavae": tables})
    shown = [(c.method_config.beta, c.train.lr) for c in found]
    assert shown == [(1.0, 0.1), (2.0, 0.1), (5.0, 5e-4)]
    on_data = [{"train": {"lr": 0.2}}, {"train": {"lr": 0.3}}]
    both = runs(
        method={"betavae": tables}, dataset={"toy": {"method": {"betavae": on_data}}}, seeds=[0]
    )
    assert len(both) == 6


def test_the_same_run_is_planned_once():
    assert len(runs(method={"betavae": {"beta": [4, 4.0, 5]}}, seeds=[0, 0])) == 2
    assert len(runs(method={"betavae": [{}, {"beta": 4}]})) == 1


@pytest.mark.parametrize(("key", "values"), [("evaluate_every", [1, 5]), ("threads", [1, 2])])
def test_lists_of_what_makes_no_other_run_are_refused(key, values):
    with pytest.raises(
        StudyFileError, match=rf"`train.{key}` must be one value .* got {values[0]}"
    ):
        runs(train={key: values})
    assert len(runs(train={key: [values[0], values[0]]})) == 1


def test_a_study_of_too_many_runs_is_refused_before_it_is_counted_out():
    grid = {"betavae": {"beta": list(range(1001))}}
    with pytest.raises(StudyFileError, match="at most 100,000 runs; this one has 100,100 or more"):
        plan(define({**BASE, "method": grid, "seeds": "0-99"}))
    million = {"train": {"lr": [0.1] * 1000, "steps": [1] * 1000, "batch_size": [1] * 1000}}
    with pytest.raises(StudyFileError, match="at most 100,000 runs; this one has 1,000,000,000"):
        plan(define({**BASE, **million}))


def test_a_large_study_asks_for_yes(tmp_path, capsys):
    path = tmp_path / "study.toml"
    path.write_text('methods = ["vae"]\ndata = ["toy"]\nseeds = "0-1000"\n')
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "a study of 1,001 runs must be meant" in said
    assert "--yes" in said
    assert not (tmp_path / "out").exists()


def test_the_command_line_names_lines_of_a_file_but_not_for_what_it_gave(tmp_path, capsys):
    path = tmp_path / "study.toml"
    path.write_text('methods = ["betavae"]\ndata = ["toy"]\n[method.betavae]\nbeta = [1, -2]\n')
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "o")]) == 1
    assert f"{path}, line 4: `beta` must be" in capsys.readouterr().err
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "o"), "--scale", "0"]) == 1
    assert "`scale` must be in (0, 1e+06]; got 0.0" in capsys.readouterr().err
    assert cli.main(["study", "run", str(path), "--out", str(tmp_path / "o"), "--seeds", "x"]) == 1
    assert "error: `seeds` must be whole numbers" in capsys.readouterr().err


@pytest.mark.whole
def test_the_command_line_narrows_a_preset(tmp_path, capsys):
    study = ["study", "run", "--preset", "disentanglement-lib", "--out", str(tmp_path / "out")]
    assert cli.main([*study, "--methods", "betavae"]) == 1
    assert "a study of 1,200 runs" in capsys.readouterr().err
    assert cli.main([*study, "--data", "dsprites"]) == 1
    assert "a study of 1,800 runs" in capsys.readouterr().err


def test_a_setting_given_at_its_default_has_the_name_of_one_left_out():
    (left_out,) = names()
    given = {"train": {"lr": 5e-4, "steps": 20_000}, "model": {"num_latents": 10}}
    assert names(**given, method={"betavae": {"beta": 4}}) == [left_out]
    assert names(method={"betavae": {"beta": 4.0}}) == [left_out]
    assert names(train={"lr": 1e-3}) != [left_out]


def test_a_whole_number_has_the_name_of_the_same_with_a_point():
    assert names(method={"betavae": {"beta": 8}}) == names(method={"betavae": {"beta": 8.0}})


def test_how_a_run_is_carried_out_does_not_change_its_name():
    (usual,) = names()
    for setting in (
        {"device": "cuda:1"},
        {"threads": 2},
        {"log_every": 7},
        {"checkpoint_every": 7},
        {"checkpoint_minutes": 3.0},
        {"compile": True},
    ):
        assert names(train=setting) == [usual]
    assert names(options={"path": "elsewhere"}) == [usual]


def test_another_seed_changes_only_the_end_of_a_name():
    found = names(seeds=[0, 5, 123])
    assert [name.rpartition("-s")[2] for name in found] == ["0", "5", "123"]
    assert len({name.rpartition("-s")[0] for name in found}) == 1
    (config,) = runs(seeds=[123])
    assert run_name(config) == found[2]


@pytest.mark.parametrize(
    "change",
    [
        {"method_config": "beta"},
        {"train": TrainConfig(steps=3)},
        {"train": TrainConfig(precision="bfloat16")},
        {"model": ModelConfig(num_latents=3)},
        {"data_options": DataOptions(image_size=32)},
        {"data": "dsprites"},
    ],
)
def test_whatever_changes_the_result_changes_the_name(change):
    config = RunConfig(method="betavae", data="toy")
    if change == {"method_config": "beta"}:
        change = {"method_config": replace(config.method_config, beta=3.0)}
    assert run_name(replace(config, **change)) != run_name(config)


def test_folders_of_the_same_name_have_runs_of_their_own(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "photos v1").mkdir(parents=True)
    document = {**BASE, "data": ["a/photos v1", "b/photos v1"]}
    first, second = (run.name for run in plan(define(document, tmp_path)))
    assert first != second
    assert first.startswith("betavae-photos_v1-")
    assert second.startswith("betavae-photos_v1-")


def test_names_are_those_of_folders_on_any_system(tmp_path):
    (tmp_path / "Bilder für „später“ 日本").mkdir()
    (name,) = [r.name for r in plan(define({**BASE, "data": [*map(str, tmp_path.iterdir())]}))]
    assert name.isascii()
    assert not set(name) & set('<>:"/\\|?* ')


def test_a_name_stays_what_it_is():
    # names are folders that studies go on with: a change of this one loses their runs
    assert names(method={"betavae": {"beta": 8}}, seeds=[2]) == ["betavae-toy-3417125b867c-s2"]


def test_a_scaled_run_has_its_schedules_scaled():
    config = RunConfig(method="dynamicvae", data="toy", train=TrainConfig(steps=1000))
    short = scaled(config, 0.1)
    assert short.train.steps == 100
    own, usual = short.method_config, config.method_config
    assert (own.period, own.ramp) == (600, 100)
    assert replace(own, period=usual.period, ramp=usual.ramp) == usual
    assert scaled(config, 1.0) is config
    assert scaled(config, 1e-9).train.steps == 1


def test_a_warm_up_that_is_left_out_stays_so():
    config = RunConfig(method="lvae", data="toy", train=TrainConfig(steps=1000))
    assert scaled(config, 0.1).method_config.warmup == 0
    assert scaled(config, 1e-9).method_config.warmup == 0


def test_a_folder_of_ones_own_is_meant_where_its_path_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("toy").mkdir()
    text = 'methods = ["vae"]\ndata = ["toy"]\n[dataset.toy]\nimage_size = 32\n'
    Path("study.toml").write_text(text)
    flags = StudyFlags(study=Path("study.toml"), out=Path("out"), data=("./toy",))
    assert _definition(flags)[0].data == [str(tmp_path / "toy")]
    flags = StudyFlags(study=Path("study.toml"), out=Path("out"), data=("toy",))
    assert _definition(flags)[0].data == ["toy"]
