import numpy as np
import pytest

from autobeta.reports import load_runs
from autobeta.reports._load import MAX_POINTS, curve, missing
from autobeta.run import folder as runs


def test_a_folder_without_a_config_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a run folder; it has no config\.json"):
        load_runs([tmp_path])


def test_no_folder_at_all_is_an_error():
    with pytest.raises(ValueError, match=r"`runs` must be at least one run folder; got none"):
        load_runs([])


def test_a_folder_given_twice_is_read_once(make_run):
    folder = make_run()
    assert len(load_runs([folder, folder.parent / "." / folder.name])) == 1


def test_runs_with_the_same_folder_name_are_named_with_their_parent(make_run):
    loaded = load_runs([make_run("a/seed0"), make_run("b/seed0", seed=1)])
    assert [run.name for run in loaded] == ["a/seed0", "b/seed0"]


def test_runs_that_differ_by_seed_only_share_a_group(make_run):
    first, second, other = load_runs(
        [make_run("a"), make_run("b", seed=1), make_run("c", settings={"beta": 4.0})]
    )
    assert first.group == second.group != other.group


def test_a_label_names_the_settings_that_differ_within_a_method(make_run):
    loaded = load_runs(
        [
            make_run("a", method="betavae", settings={"beta": 1.0, "gain": 2}),
            make_run("b", method="betavae", settings={"beta": 4.0, "gain": 2}),
            make_run("c", method="vae"),
        ]
    )
    assert [run.label for run in loaded] == ["betavae, beta=1.0", "betavae, beta=4.0", "vae"]


def test_a_label_names_the_data_where_the_runs_have_several(make_run):
    loaded = load_runs([make_run("a"), make_run("b", data="scenes3d")])
    assert [run.label for run in loaded] == ["vae on toy", "vae on scenes3d"]


def test_a_group_with_many_differing_settings_is_called_by_its_first_run(make_run):
    loaded = load_runs(
        [make_run("a", settings=dict.fromkeys("pqrs", 1)), make_run("b", settings={"p": 2})]
    )
    assert [run.label for run in loaded] == ["a", "vae, p=2"]


def test_labels_are_never_shared_by_two_groups(make_run):
    loaded = load_runs(
        [
            make_run("a", settings={"encoder": {"width": 1}, "decoder": {"width": 2}}),
            make_run("b", settings={"encoder": {"width": 1}, "decoder": {"width": 2}, "x": 0}),
            make_run("vae", method="vae", settings={"y": 1, "z": 2, "u": 3, "v": 4}),
        ]
    )
    assert len({run.label for run in loaded}) == 3


def test_a_long_log_is_thinned_and_keeps_its_ends_and_its_spike(make_run, log_rows):
    rows = log_rows(steps=2500)
    rows[1234]["beta"] = 99.0
    (run,) = load_runs([make_run(log=rows)])
    steps, values = curve(run, lambda row: row["beta"])
    assert len(steps) <= MAX_POINTS
    assert (steps[0], steps[-1]) == (1, 2500)
    assert np.all(np.diff(steps) > 0)
    assert dict(zip(steps, values, strict=True))[1235] == 99.0


def test_a_finished_run_lacks_nothing(make_run):
    (run,) = load_runs([make_run()])
    assert missing(run) == []


def test_what_a_run_lacks_is_named(make_run):
    folder = make_run(metrics=None, pictures=False, finished=False)
    (folder / runs.ENVIRONMENT).unlink()
    text = " ".join(missing(load_runs([folder])[0]))
    for part in ("step 40 of 40", "not evaluated", "no reconstructions", "no traversals"):
        assert part in text
    assert "versions and device were not recorded" in text
    assert "Nothing is logged yet" in missing(load_runs([make_run("b", log=None)])[0])[0]


def test_an_evaluation_without_scores_is_named(make_run):
    (run,) = load_runs([make_run(metrics={"metrics": {}})])
    assert missing(run) == ["No disentanglement score was computed."]


def test_a_group_with_a_very_long_setting_is_called_by_its_first_run(make_run):
    loaded = load_runs([make_run("a", settings={"widths": [64] * 40}), make_run("b")])
    assert [run.label for run in loaded] == ["a", "vae"]


def test_a_part_of_the_evaluation_that_is_null_is_left_out(make_run, losses):
    evaluation = {"train": losses(), "test": None}
    (run,) = load_runs([make_run(metrics={"evaluation": evaluation})])
    assert list(run.evaluation) == ["train"]


def test_a_folder_that_is_there_by_two_names_is_read_once(make_run, tmp_path):
    folder = make_run()
    (tmp_path / "link").symlink_to(folder)
    assert [run.name for run in load_runs([tmp_path / "link", folder])] == ["run"]


def test_runs_of_earlier_versions_are_read(make_run):
    folder = make_run()
    config = runs.read_json(folder / runs.CONFIG)
    old = config | {"format": 1, "method_config": {"likelihood": "gaussian"}}
    runs.write_json(folder / runs.CONFIG, old)
    (run,) = load_runs([folder])
    assert run.identity["model.likelihood"] == "gaussian_logistic"  # as it was then
    assert (run.steps, run.seed) == (40, 0)


def _extended(folder, **facts):
    config = runs.read_json(folder / runs.CONFIG)
    config["train"]["steps"] = 80
    runs.write_json(folder / runs.CONFIG, config | facts)
    return load_runs([folder])[0]


def test_an_extended_run_is_finished_at_its_last_step_or_where_it_was_stopped_early(
    make_run, log_rows
):
    assert load_runs([make_run("whole")])[0].finished
    run = _extended(make_run("extended"))
    assert not run.finished
    assert "Training has not finished: step 40 of 80 was logged last." in missing(run)
    assert _extended(make_run("stopped"), stopped_at=40).finished
    assert _extended(make_run("done", log=log_rows(steps=80))).finished
    assert _extended(make_run("lost", log=None, metrics={"step": 80})).finished


def test_scores_of_an_earlier_network_are_named(make_run, log_rows):
    stale = make_run("extended", log=log_rows(steps=80), metrics={"step": 40})
    (sentence,) = missing(_extended(stale))
    assert "are of step 40, its network is of step 80. Run `autobeta evaluate` on it" in sentence
    stopped = _extended(make_run("stopped", metrics={"step": 40}), stopped_at=40)
    assert missing(stopped) == ["It was stopped early, at step 40 of 80, by its patience."]
