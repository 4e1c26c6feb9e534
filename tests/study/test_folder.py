import json

import pytest

from autobeta.run import folder as files
from autobeta.run.out import write_out
from autobeta.study.definition import define
from autobeta.study.folder import STUDY, claim_study, is_study, read_study
from autobeta.study.grid import plan

SMALL = {"methods": ["vae"], "data": ["toy"], "seeds": "0-1", "train": {"steps": 3}}


def claim(folder, document=SMALL, **options):
    definition = define(document)
    return claim_study(folder, definition, plan(definition), **options)


def test_a_new_folder_becomes_a_studys(tmp_path):
    document = {**SMALL, "title": "A title", "source": "Ours", "logger": "csv"}
    study = claim(
        tmp_path / "new" / "study", document, about={"scale": 0.5, "preset": "cpu-small"}
    )
    assert is_study(tmp_path / "new" / "study")
    assert study == read_study(tmp_path / "new" / "study")
    assert list(study.runs) == [run.name for run in plan(define(document))]
    assert study.about == {"title": "A title", "source": "Ours", "scale": 0.5} | {
        "preset": "cpu-small"
    }
    assert study.logger == ["csv"]
    assert study.runs_folder == tmp_path / "new" / "study" / "runs"
    assert study.evaluation["num_points"] == 10_000


def test_an_empty_folder_will_do_and_so_will_one_of_a_killed_start(tmp_path):
    for name in ("empty", "killed"):
        (tmp_path / name).mkdir()
    (tmp_path / "killed" / f"{STUDY}.123.tmp").write_text("{")
    for name in ("empty", "killed"):
        assert claim(tmp_path / name) == read_study(tmp_path / name)


def test_the_same_study_and_a_larger_one_go_on(tmp_path):
    before = claim(tmp_path / "s")
    assert claim(tmp_path / "s") == before
    larger = claim(tmp_path / "s", {**SMALL, "methods": ["vae", "betavae"], "seeds": "0-2"})
    assert set(before.runs) < set(larger.runs)


def test_scores_by_step_that_finished_runs_lack_are_told(tmp_path):
    study = claim(tmp_path)
    done = study.run(next(iter(study.runs)))
    files.write_json(done / files.CONFIG, study.runs[done.name])
    files.write_json(done / files.METRICS, {"step": 3})
    asked = {**SMALL, "train": {"steps": 3, "evaluate_every": 1}}
    with pytest.warns(UserWarning, match="changes nothing for 1 runs that are finished"):
        claim(tmp_path, asked)
    files.write_jsonl(done / files.EVALUATIONS, [{"step": 1}])
    claim(tmp_path, asked)


def test_a_study_that_lost_runs_is_refused(tmp_path):
    claim(tmp_path / "s")
    with pytest.raises(ValueError, match=r"must hold this study.* 1 other runs, such as vae-toy"):
        claim(tmp_path / "s", {**SMALL, "seeds": [0]})
    assert len(read_study(tmp_path / "s").runs) == 2


def test_another_study_is_refused(tmp_path):
    claim(tmp_path / "s")
    with pytest.raises(ValueError, match=r"has 2 other runs.*Choose another folder; with --runs"):
        claim(tmp_path / "s", {**SMALL, "train": {"steps": 4}})


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"has other files, such as thesis.tex"):
        claim(tmp_path)
    with pytest.raises(ValueError, match="`out` must be a folder; got the file"):
        claim(tmp_path / "thesis.tex")
    assert not is_study(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 9}',
        {"runs": None},
        {"runs": {"../x": {}}},
        {"runs": {"..": {}}},
        {"runs": {"": {}}},
        {"runs": {"a": 3}},
        {"runs_folder": 3},
        {"runs_folder": None},
        {"evaluation": None},
        {"title": 3},
        {"logger": 3},
    ],
)
def test_a_damaged_study_is_refused(tmp_path, damage):
    claim(tmp_path / "s")
    path = tmp_path / "s" / STUDY
    if isinstance(damage, dict):
        damage = json.dumps(json.loads(path.read_text()) | damage)
    path.write_text(damage)
    with pytest.raises(ValueError, match=STUDY):
        read_study(tmp_path / "s")
    with pytest.raises(ValueError, match=STUDY):
        claim(tmp_path / "s")
    assert path.read_text() == damage


def test_a_folder_without_a_study_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"it has no study.json. Make one with"):
        read_study(tmp_path)


def test_two_studies_share_runs(tmp_path):
    first = claim(tmp_path / "a", runs_folder=tmp_path / "shared")
    wider = {**SMALL, "methods": ["vae", "betavae"]}
    second = claim(tmp_path / "b", wider, runs_folder=tmp_path / "shared")
    assert first.runs_folder == second.runs_folder == tmp_path / "shared"
    assert set(first.runs) < set(second.runs)
    again = claim(tmp_path / "a")  # a study knows where its runs lie
    assert again.runs_folder == tmp_path / "shared"


def test_a_study_has_the_same_runs_by_whichever_path_it_is_known(tmp_path):
    (tmp_path / "real" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep" / "er")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "scratch")
    folder = tmp_path / "link" / "study"
    asked = claim(folder, runs_folder=tmp_path / "shared" / "runs")
    again = claim(folder)
    for found in (asked, again, read_study(folder), read_study(folder.resolve())):
        assert found.runs_folder == tmp_path / "scratch" / "runs"


def test_a_study_and_its_runs_may_be_moved_together(tmp_path):
    claim(tmp_path / "old" / "s", runs_folder=tmp_path / "old" / "shared")
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_study(tmp_path / "new" / "s").runs_folder == tmp_path / "new" / "shared"


def begun(study, name, **changes):
    """A run's folder as its beginning leaves it, with other settings."""
    config = json.loads(json.dumps(study.runs[name]))
    config["data"] |= {"num_train": 5, "fingerprint": "x", "image_shape": [64, 64, 1]}
    for key, value in changes.items():
        part, own = key.split("__")
        config[part][own] = value
    files.write_json(study.run(name) / files.CONFIG, config)


def test_a_run_of_another_default_is_refused_before_anything_starts(tmp_path):
    study = claim(tmp_path / "s")
    (first, second) = study.runs
    begun(study, first)
    begun(study, second, train__lr=0.25)
    before = (tmp_path / "s" / STUDY).read_bytes()
    message = rf"runs/{second}` must be.*its train.lr is 0.25, and 0.0005 is asked for.*version"
    with pytest.raises(ValueError, match=message):
        claim(tmp_path / "s")
    with pytest.raises(ValueError, match=r"train.lr is 0.25"):
        claim(tmp_path / "other", runs_folder=tmp_path / "s" / "runs")
    assert (tmp_path / "s" / STUDY).read_bytes() == before
    assert not (tmp_path / "other").exists()


def test_how_a_run_was_carried_out_may_differ(tmp_path):
    study = claim(tmp_path / "s")
    begun(study, next(iter(study.runs)), train__threads=3, train__device="cuda")
    assert claim(tmp_path / "s") == study


def test_the_precision_that_the_machine_chose_is_no_difference(tmp_path):
    document = {**SMALL, "train": {"steps": 3, "precision": "auto"}}
    study = claim(tmp_path / "s", document)
    begun(study, next(iter(study.runs)), train__precision="bfloat16")
    assert claim(tmp_path / "s", document) == study


def test_a_damaged_run_is_left_for_its_worker_to_name(tmp_path):
    study = claim(tmp_path / "s")
    begun(study, next(iter(study.runs)))
    (study.run(next(iter(study.runs))) / files.CONFIG).write_text("{")
    assert claim(tmp_path / "s") == study


def test_a_run_is_done_when_it_was_trained_and_evaluated_as_asked(tmp_path):
    study = claim(tmp_path / "s")
    name = next(iter(study.runs))
    assert study.attempt(name) == {}
    assert not study.is_done(name)
    study.write_attempt(name, state="done", evaluations=[study.asked])
    assert not study.is_done(name), "its folder is not there"
    study.run(name).mkdir(parents=True)
    assert not study.is_done(name), "it was not evaluated"
    metrics = {"step": 3, "num_points": 10_000, "seed": 0, "metrics": {"mig[bins=20]": 0.1}}
    files.write_json(study.run(name) / files.METRICS, metrics)
    assert study.is_done(name), "its model and its checkpoint may be deleted together"
    (study.run(name) / files.CHECKPOINT).mkdir()
    assert not study.is_done(name), "its model can be had again"
    (study.run(name) / files.MODEL).write_text("{}")
    assert study.is_done(name)
    for change in ({"num_points": 400}, {"seed": 5}, {"step": 2}, {"asked": ["mig"]}):
        files.write_json(study.run(name) / files.METRICS, metrics | change)
        assert not study.is_done(name), "another study evaluated it otherwise since"
    (study.run(name) / files.METRICS).write_text("")
    assert not study.is_done(name)
    files.write_json(study.run(name) / files.METRICS, metrics)
    other = {**SMALL, "evaluation": {"num_points": 50}}
    assert not claim(tmp_path / "s", other).is_done(name)
    more_jobs = {**SMALL, "evaluation": {"jobs": 2}}
    assert claim(tmp_path / "s", more_jobs).is_done(name)


@pytest.mark.parametrize("evaluations", [5, True, "x", {"a": 1}, [3], None])
def test_an_attempt_of_a_wrong_shape_is_none(tmp_path, evaluations):
    study = claim(tmp_path / "s")
    name = next(iter(study.runs))
    study.write_attempt(name, state="done", evaluations=evaluations)
    assert not study.is_done(name)


def test_a_reason_has_no_control_characters(tmp_path):
    study = claim(tmp_path / "s")
    name = next(iter(study.runs))
    study.write_attempt(name, state="failed", reason="\x1b]0;pwn\x07 red\n\x1b[31m")
    assert study.attempt(name)["reason"].isprintable()


def test_runs_do_not_go_into_a_runs_own_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / files.CONFIG).write_text("{}")
    with pytest.raises(ValueError, match=r"`runs` must be a folder for run folders; .* a run's"):
        claim(tmp_path / "s", runs_folder=tmp_path / "run")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("lacking", ["train", "steps", "batch_size", "seed"])
def test_a_planned_run_that_lacks_what_all_read_is_refused(tmp_path, lacking):
    study = claim(tmp_path / "s")
    found = json.loads((tmp_path / "s" / STUDY).read_text())
    config = found["runs"][next(iter(study.runs))]
    if lacking == "train":
        del config["train"]
    else:
        del config["train"][lacking]
    (tmp_path / "s" / STUDY).write_text(json.dumps(found))
    with pytest.raises(ValueError, match=f"must be a study; .*{lacking}"):
        read_study(tmp_path / "s")


def test_a_studys_own_files_are_not_written_over(tmp_path):
    study = claim(tmp_path / "s")
    name = next(iter(study.runs))
    study.write_attempt(name, state="done")
    study.run(name).mkdir()
    (study.run(name) / files.CONFIG).write_text("{}")
    study.log(name).write_text("")
    (tmp_path / "link.csv").symlink_to(tmp_path / "s" / STUDY)
    beside = study.runs_folder / f"{name}.json"
    for out in (tmp_path / "s" / STUDY, beside, study.log(name), tmp_path / "link.csv"):
        before = out.read_bytes()
        with pytest.raises(ValueError, match="`out` must be a file of its own"):
            write_out(out, lambda file: file.write(b"<html>"))
        assert out.read_bytes() == before
