"""A run that is watched while it trains: its early end, its best network, its pictures."""

import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from torch import nn

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    evaluate,
    load_run,
    train,
)
from autobeta.data import FactorDataset, as_dataset, load_data
from autobeta.errors import DivergedError
from autobeta.reports import load_runs, write_report
from autobeta.reports._load import missing
from autobeta.reports.tables import score_curves
from autobeta.run import during
from autobeta.run import folder as files
from autobeta.run.encode import dataset_for
from autobeta.run.evaluated import missing_evaluation
from autobeta.run.scores import check_asked, score_splits
from autobeta.settings import identity
from autobeta.study.folder import Study
from autobeta.study.grid import scaled
from autobeta.study.table import rows
from autobeta.training import validation
from autobeta.types import Representation

FEW = EvaluationConfig(num_points=100, metrics=("mig",), num_pictures=4)


def tiny(shape, num_latents):
    height, width, channels = shape
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(height * width * channels, 2 * num_latents))
    decoder = nn.Linear(num_latents, height * width * channels)
    return encoder, nn.Sequential(decoder, nn.Unflatten(1, (channels, height, width)))


def config(steps=12, **settings):
    usual = {"batch_size": 8, "log_every": 2, "checkpoint_every": 4, "device": "cpu", "threads": 1}
    watched = {"held_out": 0.1, "validate_every": 2, "pictures_every": 3}
    return RunConfig(
        method="vae",
        data="toy",
        data_options=DataOptions(image_size=32),
        model=ModelConfig(num_latents=3),
        train=TrainConfig(steps=steps, **usual | watched | settings),
    )


def go_on(folder, **settings):
    return train(config(**settings), folder, evaluation=FEW, network=tiny)


STOPPING = {"keep_best": True, "patience": 2}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of 12 steps that its patience has ended at step 8, the network of step 4 the best."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    found = {2: -3.0, 4: -2.0, 6: -4.0, 8: -2.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            validation,
            "validate",
            lambda state, config: {"step": state.step, "elbo": found[state.step]},
        )
        go_on(folder, **STOPPING)
    return folder


@pytest.fixture
def run(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "run")


def test_a_run_that_its_patience_has_ended_is_finished_and_says_so(run):
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    again = go_on(run, **STOPPING)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before
    assert again.step == 8
    assert again.progress == "step 8 of 12, stopped early"
    assert files.read_config(run)["stopped_at"] == files.stopped_at(run) == 8
    assert files.read_config(run)["train"]["steps"] == 12
    assert files.read_metrics(run / files.METRICS)["step"] == 8
    assert load_run(run, network=tiny).progress == "step 8 of 12, stopped early"
    num_train = files.read_config(run)["data"]["num_train"]
    assert num_train == 2304 - 230
    assert missing_evaluation(run, FEW, steps=8, num_train=num_train) is None
    [record] = load_runs([run])
    assert "It was stopped early, at step 8 of 12, by its patience." in missing(record)


def test_a_study_takes_an_early_end_for_the_end_and_its_table_says_so(run):
    planned = files.read_config(run)
    del planned["stopped_at"]
    asked = {**asdict(FEW), "metrics": ["mig"]}
    study = Study(run.parent, run.parent, {"run": planned}, asked, {}, [])
    study.write_attempt("run", state="done", evaluations=[study.asked])
    [row] = rows(study)
    assert (row["state"], row["steps"], row["evaluated_step"], row["stopped_at"]) == (
        *("done", 12, 8, 8),
    )
    files.write_json(run / files.CONFIG, planned)
    assert not study.is_done("run")
    assert "stopped_at" not in rows(study)[0]


def test_more_steps_do_not_take_back_an_early_end(run):
    before = (run / files.CONFIG).read_bytes()
    with pytest.raises(ValueError, match=r"`steps` can't be raised .* ended it at step 8; got 20"):
        train(config(steps=20, **STOPPING), run, extend=True, evaluation=FEW, network=tiny)
    assert (run / files.CONFIG).read_bytes() == before
    assert files.stopped_at(run) == 8


def test_a_new_best_network_has_no_evaluation_of_the_former(tmp_path, monkeypatch):
    monkeypatch.setattr(
        validation,
        "validate",
        lambda state, config: {"step": state.step, "elbo": state.step - 9.0},
    )
    go_on(tmp_path, steps=4, keep_best=True)
    evaluate(load_run(tmp_path, best=True, network=tiny), FEW)
    assert (tmp_path / files.BEST / files.METRICS).exists()
    longer = config(steps=8, keep_best=True)
    train(longer, tmp_path, extend=True, evaluation=FEW, network=tiny)
    assert [path.name for path in (tmp_path / files.BEST).iterdir()] == [files.MODEL]
    assert load_run(tmp_path, best=True, network=tiny).step == 8


def test_a_run_too_short_for_a_validation_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="`validate_every` is 500 steps, so that a run of 2 is"):
        go_on(tmp_path, steps=2, validate_every=500)


def test_the_best_network_is_loaded_and_evaluated_beside_the_last(run):
    last = (run / files.METRICS).read_bytes()
    best = load_run(run, best=True, network=tiny)
    assert best.step == 4
    assert best.progress == "step 4, the best on held-out images"
    evaluate(best, FEW)
    assert files.read_metrics(run / files.BEST / files.METRICS)["step"] == 4
    assert (run / files.METRICS).read_bytes() == last
    (run / files.BEST / files.MODEL).unlink()
    with pytest.raises(FileNotFoundError, match="must hold a best network; it has no best/model"):
        load_run(run, best=True, network=tiny)


def test_held_out_images_are_no_part_of_the_evaluation(run):
    held_out = load_run(run, network=tiny).dataset.splits["validation"]
    assert not np.intersect1d(files.read_representation(run)["index"], held_out).size
    assert files.read_metrics(run / files.METRICS)["evaluation"].keys() == {"train"}
    own = dataset_for(load_run(run, network=tiny), "toy")
    assert np.array_equal(own.splits["validation"], held_out)


def test_pictures_are_the_same_after_a_kill_and_none_is_of_a_later_step(tmp_path):
    go_on(tmp_path / "whole")

    def stop(row, rate):
        if row["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "run", evaluation=FEW, network=tiny, callbacks=[stop])
    drawn = files.picture(tmp_path / "run", 6, "traversals")
    assert drawn.name == "step-000006-traversals.png"
    (drawn.parent / "step-000006-traversals.png.77.tmp").touch()
    before = drawn.read_bytes()
    drawn.write_bytes(b"of the step that is lost")
    go_on(tmp_path / "run")
    assert drawn.read_bytes() == before
    places = [tmp_path / name / files.PICTURES for name in ("whole", "run")]
    whole, parts = ({p.name: p.read_bytes() for p in place.iterdir()} for place in places)
    steps = [f"step-{step:06}" for step in (3, 6, 9, 12)]
    kinds = ("reconstructions", "traversals")
    assert whole.keys() == {f"{step}-{kind}.png" for step in steps for kind in kinds}
    assert parts == whole
    logs = [(tmp_path / name / files.LOG).read_bytes() for name in ("whole", "run")]
    assert logs[0] == logs[1]


def test_pictures_change_nothing_of_the_training(tmp_path):
    go_on(tmp_path / "with", pictures_every=1, steps=3)
    go_on(tmp_path / "without", pictures_every=None, steps=3)
    a, b = (tmp_path / name / files.MODEL for name in ("with", "without"))
    assert a.read_bytes() == b.read_bytes()


def test_pictures_of_images_that_cant_be_drawn_are_refused_before_there_is_a_folder(tmp_path):
    images = np.zeros((40, 8, 8, 2), np.uint8)
    two = FactorDataset(
        name="two", source="here", num_images=40, image_shape=(8, 8, 2), images=images.__getitem__
    )
    settings = config(pictures_every=1, steps=2)
    with pytest.raises(ValueError, match=r"`pictures_every` must be left out .*; got 1, and 2 ch"):
        train(settings, tmp_path / "run", network=tiny, data=two)
    assert not (tmp_path / "run").exists()


def test_images_smaller_than_the_window_of_ssim_are_evaluated_without_it(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (60, 10, 12, 1), np.uint8)
    options = DataOptions(image_size=None)
    settings = RunConfig(
        method="vae", data_options=options, train=TrainConfig(steps=2, batch_size=8)
    )
    few = EvaluationConfig(num_points=40, metrics=())
    train(settings, tmp_path / "run", evaluation=few, network=tiny, data=images)
    found = files.read_metrics(tmp_path / "run" / files.METRICS)["evaluation"]
    assert {*found} == {"train", "test"}
    for losses in found.values():
        assert {"mse", "psnr", "active_latents"} < losses.keys()
        assert "ssim" not in losses
    write_report([tmp_path / "run"], tmp_path / "report.html")
    assert "SSIM" not in (tmp_path / "report.html").read_text("utf-8")


def test_scores_by_step_are_those_of_the_run_that_ends_there_and_change_nothing(tmp_path):
    go_on(tmp_path / "whole", evaluate_every=4)
    go_on(tmp_path / "plain")
    lines = files.read_jsonl(tmp_path / "whole" / files.EVALUATIONS)
    assert [line["step"] for line in lines] == [4, 8]  # step 12 is in metrics.json
    go_on(tmp_path / "short", steps=4)
    short = files.read_metrics(tmp_path / "short" / files.METRICS)
    for key in ("evaluation", "metrics", "num_points"):
        assert lines[0][key] == short[key]
    for name in (files.MODEL, files.LOG, files.METRICS, files.VALIDATION):
        a, b = ((tmp_path / run / name).read_bytes() for run in ("whole", "plain"))
        assert a == b, name
    assert not (tmp_path / "plain" / files.EVALUATIONS).exists()


def stop_at_ten(row, rate):
    if row["step"] == 10:
        raise KeyboardInterrupt


@pytest.mark.parametrize("every", [3, 4])  # of step 9, after the checkpoint of 8, or not
def test_scores_by_step_are_the_same_after_a_kill_and_none_is_of_a_later_step(tmp_path, every):
    go_on(tmp_path / "whole", evaluate_every=every)
    watched = config(evaluate_every=every)
    with pytest.raises(KeyboardInterrupt):
        train(watched, tmp_path / "run", evaluation=FEW, network=tiny, callbacks=[stop_at_ten])
    path = tmp_path / "run" / files.EVALUATIONS
    assert f'"step": {every * (10 // every)},' in path.read_text()
    with path.open("a") as file:
        file.write('{"step": 10, "num_po')  # as a full disk leaves it
    go_on(tmp_path / "run", evaluate_every=every)
    assert path.read_bytes() == (tmp_path / "whole" / files.EVALUATIONS).read_bytes()


def test_a_run_that_is_extended_keeps_the_scores_of_its_former_end(tmp_path):
    go_on(tmp_path, steps=8, evaluate_every=4)
    end = files.read_metrics(tmp_path / files.METRICS)
    longer = config(steps=12, evaluate_every=4)

    def stop(row, rate):
        raise KeyboardInterrupt

    for _ in range(2):  # it is stopped before its next checkpoint, twice
        with pytest.raises(KeyboardInterrupt):
            train(
                *(longer, tmp_path),
                extend=True,
                evaluation=FEW,
                network=tiny,
                callbacks=[stop],
            )
    train(longer, tmp_path, extend=True, evaluation=FEW, network=tiny)
    four, eight = files.read_jsonl(tmp_path / files.EVALUATIONS)
    assert (four["step"], eight["step"]) == (4, 8)
    for key in ("evaluation", "metrics", "num_points"):
        assert eight[key] == end[key]
    assert files.read_metrics(tmp_path / files.METRICS)["step"] == 12


def test_scores_by_step_of_a_run_that_is_finished_cant_be_had_and_that_is_said(tmp_path):
    go_on(tmp_path, steps=4)
    with pytest.warns(UserWarning, match="`evaluate_every` changes nothing: the run is finished"):
        go_on(tmp_path, steps=4, evaluate_every=2)
    assert not (tmp_path / files.EVALUATIONS).exists()


def test_a_run_that_patience_ended_before_its_first_evaluation_is_repeated_in_silence(run):
    assert files.stopped_at(run) == 8
    go_on(run, **STOPPING, evaluate_every=9)


def test_scores_by_step_of_other_numbers_of_images_are_told_and_make_no_curve(tmp_path):
    watched = config(evaluate_every=3)
    with pytest.raises(KeyboardInterrupt):
        train(watched, tmp_path, evaluation=FEW, network=tiny, callbacks=[stop_at_ten])
    fewer = EvaluationConfig(num_points=60, metrics=("mig",))
    with pytest.warns(UserWarning, match="is 60, and the evaluation after 6 steps is of 100 imag"):
        train(watched, tmp_path, evaluation=fewer, network=tiny)
    [run] = load_runs([tmp_path])
    assert [line["num_points"] for line in run.evaluations] == [100, 100, 60]
    assert [step for step, _ in score_curves(run)["mig[bins=20]"]] == [9, 12]


def test_a_network_that_is_not_finite_has_no_scores_by_step(tmp_path):
    with pytest.raises(DivergedError, match="`loss` must be finite"):
        go_on(tmp_path, lr=1e30, evaluate_every=1, validate_every=None, pictures_every=None)
    assert not (tmp_path / files.EVALUATIONS).exists()


def test_a_run_too_short_for_an_evaluation_on_the_way_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="`evaluate_every` is 2 steps, so that a run of 2 is"):
        go_on(tmp_path, steps=2, evaluate_every=2)


def test_data_without_held_out_images_are_refused_before_the_folder_is_claimed(tmp_path):
    with pytest.raises(ValueError, match="`held_out` must be above 0 to validate on toy"):
        go_on(tmp_path / "run", held_out=0.0)
    assert not (tmp_path / "run").exists()


def test_the_datas_own_held_out_part_is_taken_where_it_has_one(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (40, 32, 32), dtype=np.uint8)
    few = EvaluationConfig(num_points=20, num_pictures=4)
    settings = config(steps=2, held_out=0.0)
    watched = train(settings, tmp_path / "run", evaluation=few, data=images, network=tiny)
    assert [*watched.open(images).splits] == ["train", "test"]
    assert len(files.read_jsonl(tmp_path / "run" / files.VALIDATION)) == 1


def test_identity_has_what_changes_the_result_and_nothing_else():
    def of(**settings):
        return identity(
            RunConfig(method="vae", data="toy", train=TrainConfig(**settings)).to_json()
        )

    plain = of()
    assert of(pictures_every=5, evaluate_every=5) == plain
    assert of(validate_every=5) == plain
    for more in ({"held_out": 0.1}, {"lr_schedule": "cosine"}, {"clip_grad": 1.0}):
        assert of(**more) != plain
    for more in ({"patience": 3}, {"keep_best": True}):
        assert of(validate_every=5, **more) != of(validate_every=6, **more)
    stored = RunConfig(method="vae", data="toy").to_json()
    for name in ("held_out", "lr_schedule", "lr_warmup", "lr_final", "clip_grad", "patience"):
        del stored["train"][name]
    assert identity(stored) == plain


@pytest.mark.parametrize("factor", [0.013, 0.5, 2.0])
def test_a_scaled_run_has_its_warm_up_scaled(factor):
    short = scaled(config(steps=1000, lr_warmup=1000), factor)
    assert short.train.lr_warmup == short.train.steps == round(1000 * factor)


def test_scores_that_cannot_be_had_are_refused_before_the_training(tmp_path):
    few = EvaluationConfig(num_points=20, metrics=("mig",))
    with pytest.raises(
        ValueError, match=r"two points for each value.*`num_points` draws 20 images"
    ):
        train(config(), tmp_path / "few", network=tiny, evaluation=few)
    assert not (tmp_path / "few").exists()
    codes = np.random.default_rng(0)
    images, factor = codes.integers(0, 256, (700, 8, 8), np.uint8), np.arange(700)[:, None] % 7
    np.savez(tmp_path / "one.npz", images=images, factors=factor)
    alone = RunConfig(
        method="vae",
        data=str(tmp_path / "one.npz"),
        train=config(held_out=0.0, validate_every=None, pictures_every=None).train,
    )
    asked = EvaluationConfig(metrics=("mig", "dci[lasso]"))
    with pytest.raises(ValueError, match="at least 2 columns for dci; got 1"):
        train(alone, tmp_path / "one", network=tiny, evaluation=asked)
    assert not (tmp_path / "one").exists()


def test_a_score_that_cannot_be_had_on_the_way_does_not_end_the_training(tmp_path, monkeypatch):
    whole = during.score_splits

    def refuse(splits, config):
        if "sap" in config.metrics:
            raise ValueError("`codes` must be fit for sap.")
        return whole(splits, config)

    monkeypatch.setattr(during, "score_splits", refuse)
    asked = EvaluationConfig(num_points=100, metrics=("mig", "sap"), num_pictures=4)
    with pytest.warns(UserWarning, match="left out on the way: sap. `codes` must be fit"):
        train(config(6, evaluate_every=3), tmp_path / "run", network=tiny, evaluation=asked)
    (line,) = files.read_jsonl(tmp_path / "run" / files.EVALUATIONS)
    assert line["metrics"].keys() == {"mig[bins=20]"}
    assert files.read_metrics(tmp_path / "run" / files.METRICS)["metrics"].keys() == {
        "mig[bins=20]",
        "sap",
    }


SIZE = 1200
FEW_VALUES = np.arange(SIZE) % 5
TRIED = {
    "many bins": ("mig[bins=600]", (FEW_VALUES, FEW_VALUES // 2), ""),
    "many values, few held out": ("explicitness", (np.arange(SIZE) % 300, FEW_VALUES), ""),
    "a row's number": ("mig", (np.arange(SIZE), FEW_VALUES), "two points for each value"),
    "one that varies": ("dci[lasso]", (FEW_VALUES, 0 * FEW_VALUES), "at least 2 columns"),
    "both vary": ("dci[lasso]", (FEW_VALUES, FEW_VALUES // 2), ""),
}


@pytest.mark.filterwarnings("ignore:constant factors")
@pytest.mark.parametrize(("metric", "factors", "refusal"), TRIED.values(), ids=TRIED)
def test_a_trial_refuses_what_the_whole_sample_would_and_nothing_else(metric, factors, refusal):
    table = np.stack(factors, axis=1)
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, 8, 8), dtype=np.uint8)
    order = np.random.default_rng(0).permutation(SIZE)
    dataset = replace(
        as_dataset(pixels[..., None]),
        factor_values=lambda index: table[index],
        splits={"train": np.sort(order[60:]), "test": np.sort(order[:60])},
    )
    config = EvaluationConfig(metrics=(metric,))
    codes = table + 0.1 * np.random.default_rng(1).normal(size=table.shape)
    parts = {
        name: Representation(
            codes=codes[i], logvars=np.full(codes[i].shape, -4.0), index=i, factors=table[i]
        )
        for name, i in dataset.splits.items()
    }
    if refusal:
        for attempt in (check_asked, lambda config, _: score_splits(parts, config)):
            with pytest.raises(ValueError, match=refusal):
                attempt(config, dataset)
    else:
        check_asked(config, dataset)
        assert score_splits(parts, config)


def test_a_default_suite_that_fails_on_the_way_is_warned_of(tmp_path, monkeypatch):
    def fail(splits, config):
        raise IndexError("of another package")

    monkeypatch.setattr(during, "score_splits", fail)
    asked = EvaluationConfig(num_points=100, num_pictures=4)
    evaluations = during.TrainingEvaluations(load_data("toy"), tmp_path, 5, asked, last=10)
    with pytest.warns(UserWarning, match="left out on the way: all scores. IndexError"):
        assert evaluations._scores({}) == {}


def test_factors_that_are_no_table_are_refused_before_the_training(unchecked):
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, 8, 8, 1), dtype=np.uint8)
    dataset = replace(as_dataset(pixels), factor_values=lambda index: index % 5)
    with pytest.raises(ValueError, match="`factors` must have shape"):
        check_asked(EvaluationConfig(metrics=("mig",)), dataset)
