"""TensorBoard, W&B and MLflow, each read back by its own library from a run that was resumed."""

import ast
import json
import re
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from autobeta import DataOptions, EvaluationConfig, ModelConfig, RunConfig, TrainConfig, train
from autobeta.run import folder as files
from autobeta.training.callbacks import _tracker, mlflow, tensorboard, wandb
from autobeta.training.callbacks._flat import as_numbers, as_settings
from autobeta.training.callbacks._tracker import Tracker

FEW = EvaluationConfig(num_points=200, metrics=("mig[bins=10]", "modularity"), num_pictures=4)

# of mlflow's own use of SQLAlchemy
pytestmark = [
    pytest.mark.whole,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),
]


def config(steps=6, **more):
    return RunConfig(
        method="dynamicvae",
        data="toy",
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture="burgess", num_latents=3),
        train=TrainConfig(
            steps=steps, batch_size=8, log_every=1, checkpoint_every=2, device="cpu", **more
        ),
    )


class Found(NamedTuple):
    """What a tracker holds of a run: points (step, value) of each curve, and more."""

    curves: dict
    scores: dict
    settings: dict
    pictures: set


def read_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = EventAccumulator(str(folder / files.TENSORBOARD), {"scalars": 0, "images": 0})
    found.Reload()
    tags = found.Tags()
    curves = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in tags["scalars"]}
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    settings = {
        key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()
    }
    scores = {name: curve[-1][1] for name, curve in curves.items()}
    return Found(curves, scores, settings, set(tags["images"]))


def records(path):
    """Protocol buffers of a .wandb file: LevelDB's log format behind a header of 7 bytes."""
    data, start, parts = path.read_bytes(), 7, []
    assert data[:4] == b":W&B"
    while start + 7 <= len(data):
        room = 32768 - start % 32768
        if room < 7:
            start += room
            continue
        _, length, kind = struct.unpack("<IHB", data[start : start + 7])
        start += 7 + length
        parts.append(data[start - length : start])
        if kind in (1, 4):  # a whole record, or the last part of one
            yield b"".join(parts)
            parts = []


def read_wandb(folder):
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (folder / files.WANDB).glob("offline-run-*/*.wandb")  # one, to be sent by `sync`
    curves, scores, config, pictures = {}, {}, {}, set()
    for record in map(Record.FromString, records(path)):
        row = {".".join(i.nested_key) or i.key: i.value_json for i in record.history.item}
        for name, text in row.items():
            value = json.loads(text)
            if name.endswith(".path") and (path.parent / "files" / value).exists():
                pictures.add(name.removesuffix(".path"))
            curves.setdefault(name, []).append((json.loads(row["_step"]), value))
        for item in record.summary.update:
            scores[".".join(item.nested_key) or item.key] = json.loads(item.value_json)
        for item in (*record.run.config.update, *record.config.update):
            config[item.key] = json.loads(item.value_json)
    config.pop("_wandb", None)
    return Found(curves, scores, as_settings(config), pictures)


def read_mlflow(folder):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / files.MLFLOW / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("autobeta").experiment_id])
    assert run.info.status == "FINISHED"
    curves = {
        name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    pictures = {name.removesuffix(".png") for name in artifacts if name.endswith(".png")}
    assert artifacts >= {files.CONFIG, files.METRICS}
    return Found(curves, run.data.metrics, run.data.params, pictures)


READERS = {"tensorboard": read_tensorboard, "wandb": read_wandb, "mlflow": read_mlflow}


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path_factory):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path_factory.getbasetemp() / "netrc"))
    yield
    if library := sys.modules.get("wandb"):  # it reads its settings once, and keeps a process
        library.teardown()


def stopped(folder, *callbacks, **more):
    """A run of 6 steps, stopped after step 5 with the checkpoint of step 4."""

    def stop(row, rate):
        if row["step"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(**more), folder, evaluation=FEW, callbacks=[*callbacks, stop])


@pytest.mark.parametrize("name", READERS)
def test_a_resumed_run_is_there_as_if_it_had_not_been_stopped(tmp_path, name):
    stopped(tmp_path, name)
    train(config(), tmp_path, evaluation=FEW, callbacks=[name])
    found = READERS[name](tmp_path)
    assert found.curves
    assert_log_is_there_once(found, tmp_path)
    assert_settings_are_there(
        found, tmp_path, every_number=float if name == "tensorboard" else str
    )
    assert_results_are_there(found, tmp_path, brackets=name != "mlflow")


def assert_log_is_there_once(found, run):
    rows = [(row.pop("step"), as_numbers(row)) for row in files.read_jsonl(run / files.LOG)]
    assert [step for step, _ in rows] == [1, 2, 3, 4, 5, 6]
    assert {"terms/kl", "weights/kl", "beta", "target", "kl_per_latent/2"} <= {*rows[0][1]}
    for key in rows[0][1]:
        expected = [(step, pytest.approx(row[key], rel=1e-6)) for step, row in rows]
        assert found.curves[key] == expected, key
    assert [step for step, _ in found.curves["images_per_second"]] == [1, 2, 3, 4, 5, 6]


def assert_settings_are_there(found, run, *, every_number):
    expected = as_settings(files.read_config(run))
    assert {key: str(value) for key, value in found.settings.items()} == {
        key: value if isinstance(value, str) else str(every_number(value))
        for key, value in expected.items()
    }


def assert_results_are_there(found, run, *, brackets):
    metrics = files.read_metrics(run / files.METRICS)
    scores = as_numbers({key: metrics[key] for key in ("evaluation", "metrics")})
    assert {"metrics/mig[bins=10]", "evaluation/train/elbo"} <= {*scores}
    for key, value in scores.items():
        known = key if brackets else re.sub(r"\[bins=(\d+)\]", r"_bins_\1", key)
        assert found.scores[known] == pytest.approx(value, rel=1e-6), key
    assert found.pictures == {"reconstructions", "traversals"}


@pytest.mark.parametrize("name", READERS)
def test_validations_and_pictures_of_a_resumed_run_are_there_once(tmp_path, name):
    watched = {"held_out": 0.01, "validate_every": 2, "pictures_every": 3}
    stopped(tmp_path, name, **watched)
    train(config(**watched), tmp_path, evaluation=FEW, callbacks=[name])
    found = READERS[name](tmp_path)
    lines = files.read_jsonl(tmp_path / files.VALIDATION)
    for key in ("elbo", "loss", "reconstruction", "kl"):
        expected = [(line["step"], pytest.approx(line[key], rel=1e-6)) for line in lines]
        assert found.curves[f"validation/{key}"] == expected
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert_log_is_there_once(found, tmp_path)
    kinds = ("reconstructions", "traversals")
    if name == "mlflow":
        drawn = {path.name for path in (tmp_path / files.MLFLOW).rglob("training/*.png")}
        assert drawn == {f"{kind}-{step:06}.png" for kind in kinds for step in (3, 6)}
    else:
        assert {f"training/{kind}" for kind in kinds} <= found.pictures


@pytest.mark.parametrize("name", READERS)
def test_scores_by_step_of_a_resumed_run_are_there_once(tmp_path, name):
    stopped(tmp_path, name, evaluate_every=2)
    train(config(evaluate_every=2), tmp_path, evaluation=FEW, callbacks=[name])
    curve = "metrics/mig_bins_10" if name == "mlflow" else "metrics/mig[bins=10]"
    lines = files.read_jsonl(tmp_path / files.EVALUATIONS)
    expected = [
        (line["step"], pytest.approx(line["metrics"]["mig[bins=10]"], rel=1e-6)) for line in lines
    ]
    assert [step for step, _ in expected] == [2, 4]
    assert READERS[name](tmp_path).curves[curve][:2] == expected


def test_a_finished_run_that_is_evaluated_again_is_sent_whole(tmp_path):
    train(config(), tmp_path, evaluation=FEW)
    train(config(), tmp_path, evaluation=FEW, callbacks=["tensorboard"])  # nothing is left to do
    assert not (tmp_path / files.TENSORBOARD).exists()
    more = EvaluationConfig(num_points=200, metrics=("sap",), num_pictures=4)
    train(config(), tmp_path, evaluation=more, callbacks=["tensorboard"])
    found = read_tensorboard(tmp_path)
    assert [step for step, _ in found.curves["loss"]] == [1, 2, 3, 4, 5, 6]
    assert {"metrics/mig[bins=10]", "metrics/sap"} <= {*found.scores}


@pytest.mark.parametrize(
    ("name", "package"), [*zip(READERS, READERS, strict=True), ("mlflow", "sqlalchemy")]
)
def test_a_missing_package_is_named_before_the_folder_is_claimed(
    monkeypatch, tmp_path, name, package
):
    monkeypatch.setitem(sys.modules, package, None)
    message = (
        rf"^`callbacks` {name} needs the package {package}; got none installed\. Install it with "
        rf"pip install 'autobeta\[{name}\]'\.$"
    )
    with pytest.raises(ImportError, match=message):
        train(config(), tmp_path / "run", callbacks=[name])
    assert not (tmp_path / "run").exists()


def test_a_database_of_ones_own_needs_no_sqlalchemy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    assert isinstance(mlflow.build(tmp_path), Tracker)


def test_a_tracker_that_fails_is_left_out_and_the_next_start_fills_the_gap(monkeypatch, tmp_path):
    calls = []

    def full(store, step, numbers):
        calls.append(step)
        if step == 3:
            raise OSError("No space left on device")
        usual(store, step, numbers)

    usual = tensorboard.EventStore.log
    monkeypatch.setattr(tensorboard.EventStore, "log", full)
    monkeypatch.setattr(tensorboard.EventStore, "close", lambda store, *, complete: 1 / 0)
    with pytest.warns(UserWarning, match="`callbacks` tensorboard has failed.*No space left") as w:
        run = train(config(4), tmp_path, evaluation=FEW, callbacks=["tensorboard"])
    assert (run.step, len(w), calls) == (4, 1, [1, 2, 3])
    monkeypatch.undo()
    train(config(6), tmp_path, evaluation=FEW, callbacks=["tensorboard"], extend=True)
    assert [step for step, _ in read_tensorboard(tmp_path).curves["beta"]] == [1, 2, 3, 4, 5, 6]


def test_a_tracker_that_can_not_be_opened_stops_no_run(tmp_path):
    def blocked(row, rate):
        (tmp_path / files.TENSORBOARD).write_text("no folder")

    train(config(1), tmp_path, evaluation=FEW, callbacks=[blocked])
    with pytest.warns(UserWarning, match="`callbacks` tensorboard has failed") as found:
        run = train(config(3), tmp_path, evaluation=FEW, callbacks=["tensorboard"], extend=True)
    assert (run.step, len(found)) == (3, 1)


def test_a_run_that_wandb_has_online_gets_the_steps_that_it_lacks(monkeypatch, tmp_path):
    """The server's part is played by a record of calls: it has the steps up to 3."""
    stopped(tmp_path)
    calls, asked = [], {}

    def init(**arguments):
        asked.update(arguments)
        return SimpleNamespace(
            resumed=True,
            step=4,
            config=SimpleNamespace(update=lambda *a, **b: None),
            log=lambda numbers, step=None: calls.append(step or {*numbers}),
            summary={},
            finish=lambda *, exit_code: calls.append(exit_code),
        )

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("wandb.init", init)
    train(config(), tmp_path, evaluation=FEW, callbacks=["wandb"])
    assert calls == [4, 5, 6, {"reconstructions", "traversals"}, 0]
    assert asked["resume"] == "allow"
    assert asked["id"] == files.read_json(tmp_path / files.RUN_ID)["id"]


def test_wandb_is_offline_where_nobody_is_logged_in():
    assert wandb._mode() == "offline"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "online"),
        ({"WANDB_MODE": "online"}, "online"),
        ({"WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_MODE": "dryrun"}, "offline"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
    ],
    ids=str,
)
def test_who_is_logged_in_is_online_unless_wandb_is_told_otherwise(
    monkeypatch, environment, expected
):
    monkeypatch.setattr("wandb.login", lambda *, prompt, verify: True)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wandb._mode() == expected


@pytest.mark.parametrize("module", [tensorboard, wandb, mlflow, _tracker], ids=str)
def test_no_tracking_library_is_imported_unless_it_is_asked_for(module):
    """What stands at the top of the file is the standard library's, NumPy's and ours."""
    body = ast.parse(Path(module.__file__).read_text("utf-8")).body
    names = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in body if isinstance(node, ast.ImportFrom)]
    roots = {name.split(".")[0] for name in names}
    assert roots <= {"autobeta", "numpy", *sys.stdlib_module_names}
