"""What is refused before a folder is claimed, what may change, what is kept."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import xlogy

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    evaluate,
    load_run,
    registry,
    train,
)
from autobeta.errors import DiskFullError, DivergedError
from autobeta.run import folder as files
from autobeta.run.build import build
from autobeta.run.load import trained_steps
from autobeta.run.objects import Objects
from autobeta.settings import bounds_of
from autobeta.training.machine import find_device

FEW = EvaluationConfig(num_points=200, metrics=("mig",), num_pictures=4)


def config(method="vae", steps=4, *, data="toy", image_size=32, method_config=None, **settings):
    usual = {"batch_size": 8, "log_every": 2, "checkpoint_every": 2, "device": "cpu"}
    own = registry.load("methods", method).Config
    return RunConfig(
        method=method,
        method_config=own(**method_config or {}),
        data=data,
        data_options=DataOptions(image_size=image_size),
        model=ModelConfig(architecture="burgess", num_latents=3),
        train=TrainConfig(steps=steps, **usual | settings),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(config(), folder, evaluation=FEW)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def photos(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (20, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "photos.npz", images=images)
    return tmp_path / "photos.npz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: config(image_size=48), "`image_size` must be"),
        (lambda: config(batch_size=5000), r"`batch_size` must be in 1\.\.2304"),
        (lambda: config("factorvae", batch_size=2), "`batch_size`"),
        (
            lambda: config("lvae", method_config={"warmup": 4}),
            "`warmup` must be below the run's 4",
        ),
        (lambda: config(data="/nowhere/photos"), "no folder or file at `/nowhere/photos`"),
        (lambda: config(device="cuda:7"), "`device` must be auto or one that torch"),
        (lambda: config(device="meta"), "`device` must be auto or one that torch"),
        (lambda: config(device="tpu0"), "`device` must be auto or one that torch"),
    ],
    ids=["size", "batch", "factorvae", "warmup", "folder", "cuda", "meta", "tpu"],
)
def test_what_can_be_refused_is_refused_before_the_folder_is_claimed(tmp_path, make, message):
    folder = tmp_path / "run"
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(make(), folder, evaluation=FEW)
    assert not folder.exists()


def test_metrics_are_refused_before_the_folder_is_claimed(tmp_path, photos):
    for metrics in (("migg",), ("mig[bins=1]",)):
        with pytest.raises(ValueError, match=r"mig|`bins` must be in \[2"):
            train(config(), tmp_path / "run", evaluation=EvaluationConfig(metrics=metrics))
    wanted = EvaluationConfig(metrics=("mig",))
    with pytest.raises(ValueError, match="factors"):
        train(config(data=str(photos)), tmp_path / "run", evaluation=wanted)
    assert not (tmp_path / "run").exists()


def test_a_corrected_command_takes_the_folder_that_the_wrong_one_named(tmp_path):
    with pytest.raises(ValueError, match="batch_size"):
        train(config(batch_size=5000), tmp_path / "run", evaluation=FEW)
    assert train(config(), tmp_path / "run", evaluation=FEW).step == 4


def test_leftovers_of_a_killed_writer_are_no_files_of_the_users(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (files.LOCK, "config.json.1.tmp", files.ENVIRONMENT):
        (folder / name).touch()
    train(config(), folder, evaluation=FEW)
    assert not (folder / "config.json.1.tmp").exists()


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.5.tmp").write_text("precious")
    with pytest.raises(ValueError, match=r"has other files, such as thesis\.5\.tmp"):
        train(config(), tmp_path, evaluation=FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.5.tmp"]
    with pytest.raises(ValueError, match="`out` must be a folder; got the file"):
        train(config(), tmp_path / "thesis.5.tmp", evaluation=FEW)


@pytest.mark.whole
@pytest.mark.parametrize(
    "changed",
    [{"log_every": 1}, {"checkpoint_every": 3}, {"device": "auto"}, {"threads": 1}],
    ids=str,
)
def test_how_a_run_is_carried_out_may_change_when_it_is_resumed(tmp_path, changed):
    whole = train(config(steps=4), tmp_path / "whole", evaluation=FEW)

    def stop(row, speed):
        if row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(log_every=1, checkpoint_every=1), tmp_path / "run", callbacks=[stop])
    found = train(config(**changed), tmp_path / "run", evaluation=FEW)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor), name


def test_a_field_that_an_older_version_did_not_know_takes_its_default(run):
    stored = files.read_config(run)
    del stored["train"]["precision"], stored["data"]["split_seed"], stored["model"]["likelihood"]
    files.write_json(run / files.CONFIG, stored)
    train(config(), run, evaluation=FEW)
    with pytest.raises(ValueError, match=r"differs in train\.seed: 0 there, 1 asked for"):
        train(config(seed=1), run, evaluation=FEW)


def test_images_that_were_moved_are_the_same_images(tmp_path, photos):
    folder = tmp_path / "run"
    train(config(data=str(photos)), folder, evaluation=EvaluationConfig(num_points=60))
    moved = photos.rename(tmp_path / "moved.npz")
    train(config(data=str(moved)), folder)
    stored = EvaluationConfig(num_points=60)
    with pytest.raises(FileNotFoundError, match=r"no folder or file at .*photos\.npz"):
        evaluate(folder, stored)
    assert evaluate(folder, stored, data=str(moved))["num_points"] == 18


def test_images_replaced_under_the_same_name_are_refused(tmp_path, photos):
    folder = tmp_path / "run"
    train(config(data=str(photos)), folder)
    images = np.random.default_rng(1).integers(0, 255, (20, 32, 32), dtype=np.uint8)
    np.savez(photos, images=images)
    with pytest.raises(ValueError, match=r"differs in data\.fingerprint"):
        train(config(data=str(photos)), folder)
    with pytest.raises(ValueError, match=r"must be the images that .* was trained on"):
        evaluate(folder)


def test_the_larger_evaluation_stays(run):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.warns(UserWarning, match=r"the evaluation of 200 images in .* is kept"):
        found = evaluate(run, EvaluationConfig(num_points=100, metrics=("sap",)))
    assert found["num_points"] == 100
    assert {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()} == before
    with pytest.warns(UserWarning, match=r"mig\[bins=20\] in .* are dropped"):
        evaluate(run, EvaluationConfig(num_points=300, metrics=("sap",)))
    assert files.read_metrics(run / files.METRICS)["num_points"] == 300
    assert len(files.read_npz(run / files.REPRESENTATION)["codes"]) == 300


def test_metrics_asked_for_on_a_finished_run_are_computed(run):
    before = (run / files.MODEL).read_bytes()
    train(config(), run, evaluation=EvaluationConfig(num_points=200, metrics=("sap",)))
    assert files.read_metrics(run / files.METRICS)["metrics"].keys() == {"mig[bins=20]", "sap"}
    evaluate(run, EvaluationConfig(num_points=200, metrics=("sap", "mig")))
    assert files.read_metrics(run / files.METRICS)["asked"] == ["mig", "sap"]
    assert (run / files.MODEL).read_bytes() == before


@pytest.fixture
def stopped(tmp_path):
    def stop(row, speed):
        if row["step"] == 4:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train(config(steps=6), folder, callbacks=[stop])
    return folder


def test_an_unfinished_run_is_loaded_from_its_checkpoint(stopped):
    run = load_run(stopped)
    assert run.step == 2
    assert run.progress == "step 2 of 6, not finished"
    evaluate(run, FEW)
    assert files.read_metrics(stopped / files.METRICS)["step"] == 2
    finished = train(config(steps=6), stopped, evaluation=FEW)
    assert finished.step == files.read_metrics(stopped / files.METRICS)["step"] == 6


def test_extending_keeps_the_finished_network_until_the_longer_one_is_there(run, monkeypatch):
    before = {name: (run / name).read_bytes() for name in (files.MODEL, files.METRICS)}

    def full(*args, **options):
        raise DiskFullError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("autobeta.training.loop.save_checkpoint", full)
        with pytest.raises(DiskFullError):
            train(config(steps=6), run, extend=True, evaluation=FEW)
    assert {name: (run / name).read_bytes() for name in before} == before
    assert trained_steps(run) == 4
    longer = train(config(steps=6), run, extend=True, evaluation=FEW)
    assert (
        longer.step == trained_steps(run) == files.read_metrics(run / files.METRICS)["step"] == 6
    )


def test_a_damaged_line_of_the_log_loses_no_other(stopped):
    log = stopped / files.LOG
    lines = log.read_text("utf-8").splitlines()
    log.write_text("\n".join(["{broken", *lines]) + "\n", "utf-8")
    with pytest.warns(UserWarning, match="is damaged in line 1; the other lines are taken"):
        train(config(steps=6), stopped, evaluation=FEW)
    assert [row["step"] for row in files.read_log(stopped)] == [2, 4, 6]


@pytest.mark.whole
def test_more_threads_than_cores_are_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr("autobeta.training.machine.cpu_count", lambda: 1)
    with pytest.warns(UserWarning, match="`threads` is 2, and this process may use 1 of the"):
        train(config(threads=2), tmp_path / "run", evaluation=FEW)
    train(config(threads=1), tmp_path / "other", evaluation=FEW)  # a warning is an error here


@pytest.mark.whole
def test_threads_are_as_before_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("autobeta.training.machine.cpu_count", lambda: 2)
    before = torch.get_num_threads()
    seen = []
    train(
        config(threads=2),
        tmp_path / "run",
        evaluation=FEW,
        callbacks=[lambda row, speed: seen.append(torch.get_num_threads())],
    )
    assert (set(seen), torch.get_num_threads()) == ({2}, before)


class Following:
    """Notes what a run tells a callback, in order."""

    def __init__(self):
        self.told = []

    def __enter__(self):
        self.told.append("enter")

    def __exit__(self, kind, *error):
        self.told.append(kind and kind.__name__)

    def begin(self, state, config):
        self.told.append(f"begin {state.step}")

    def __call__(self, row, rate):
        self.told.append(row["step"])
        if self.told.count(4) and "stop" in self.told:
            raise KeyboardInterrupt

    def end(self, folder):
        self.told.append(f"end {files.read_metrics(folder / files.METRICS)['step']}")


@pytest.mark.whole
def test_a_callback_is_told_of_the_evaluation_before_it_is_left(tmp_path):
    follow = Following()
    follow.told.append("stop")
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path, evaluation=FEW, callbacks=[follow])
    assert follow.told == ["stop", "enter", "begin 0", 2, 4, "KeyboardInterrupt"]
    for expected in (["enter", "begin 2", 4, "end 4", None], ["enter", None]):
        follow = Following()
        train(config(), tmp_path, evaluation=FEW, callbacks=[follow])
        assert follow.told == expected
    follow, more = Following(), EvaluationConfig(num_points=200, metrics=("sap",), num_pictures=4)
    train(config(), tmp_path, evaluation=more, callbacks=[follow])
    assert follow.told == ["enter", "end 4", None]


def test_a_device_that_is_not_here_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"finds here, cpu.*; got 'cuda:99'"):
        find_device("cuda:99")
    assert find_device("auto").type in ("cpu", "cuda", "mps")


def test_a_run_of_a_device_that_is_not_here_is_loaded_where_it_can_be(run):
    stored = files.read_config(run)
    stored["train"]["device"] = "cuda:3"
    files.write_json(run / files.CONFIG, stored)
    assert load_run(run).step == 4


def test_environment_says_whether_the_tree_was_clean(finished):
    found = files.read_json(finished / files.ENVIRONMENT)
    assert found["clean"] in (True, False, None)
    assert (found["commit"] is None) == (found["clean"] is None)


def test_a_network_that_diverges_keeps_its_folder(tmp_path):
    with pytest.raises(DivergedError, match="`loss` must be finite"):
        train(config(lr=1e30, steps=50, log_every=1), tmp_path / "run", evaluation=FEW)
    assert files.read_config(tmp_path / "run")["train"]["lr"] == 1e30


@pytest.mark.whole
def test_a_full_disk_is_told_with_the_file_and_what_is_kept(finished, tmp_path):
    """A real full disk: a file system of 1 MB, where the machine lets us mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)])
    if mount.returncode:
        pytest.skip("no file system can be mounted")
    try:
        code = (
            "import sys; from autobeta.cli import main\n"
            "sys.exit(main(['train', '--config', sys.argv[1], '--out', sys.argv[2]]))"
        )
        command = [sys.executable, "-c", code, str(finished / files.CONFIG), str(small / "run")]
        done = subprocess.run(command, capture_output=True, text=True)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode == 1
    assert "must find space on its disk" in done.stderr
    assert "Free some space" in done.stderr


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63])
def test_a_seed_that_no_metric_takes_is_refused_before_the_training(seed):
    with pytest.raises(ValueError, match=f"`metrics_seed` must be in .*; got {seed}"):
        EvaluationConfig(metrics_seed=seed)


@pytest.mark.whole
def test_more_points_or_another_seed_are_evaluated_on_a_finished_run(run):
    train(config(), run, evaluation=EvaluationConfig(num_points=300, metrics=("mig",)))
    assert files.read_metrics(run / files.METRICS)["num_points"] == 300
    other = EvaluationConfig(num_points=300, metrics=("mig",), metrics_seed=7)
    train(config(), run, evaluation=other)
    assert files.read_metrics(run / files.METRICS)["seed"] == 7
    fewer = EvaluationConfig(num_points=100, metrics=("sap",), metrics_seed=7)
    train(config(), run, evaluation=fewer)
    found = files.read_metrics(run / files.METRICS)
    assert (found["num_points"], found["metrics"].keys()) == (300, {"mig[bins=20]", "sap"})


@pytest.mark.parametrize("name", [files.REPRESENTATION, files.TRAVERSALS, files.RECONSTRUCTIONS])
def test_a_finished_run_that_lacks_a_file_gets_it_again(run, name):
    before = (run / name).read_bytes()
    (run / name).unlink()
    train(config(), run, evaluation=FEW)
    assert (run / name).read_bytes() == before


def test_codes_that_are_not_those_that_were_scored_are_made_again(run):
    arrays = files.read_npz(run / files.REPRESENTATION)
    files.write_npz(run / files.REPRESENTATION, arrays | {"codes": arrays["codes"][:50]})
    train(config(), run, evaluation=FEW)
    assert len(files.read_npz(run / files.REPRESENTATION)["codes"]) == 200


def _rounded_otherwise(run, factor):
    """As if the evaluation in a run's folder were of another device, or of another network."""
    found = files.read_metrics(run / files.METRICS)
    found["kl_per_latent"] = [factor * kl for kl in found["kl_per_latent"]]
    files.write_json(run / files.METRICS, found)


def test_an_evaluation_on_another_device_keeps_the_scores_of_the_first(run):
    _rounded_otherwise(run, 1 + 1e-6)
    more = EvaluationConfig(num_points=200, metrics=("sap",))
    assert evaluate(run, more)["metrics"].keys() == {"mig[bins=20]", "sap"}
    assert files.read_metrics(run / files.METRICS)["asked"] == ["mig", "sap"]


@pytest.mark.whole
def test_scores_of_another_network_or_sample_are_dropped_with_a_word(run):
    _rounded_otherwise(run, 1.05)
    more = EvaluationConfig(num_points=200, metrics=("sap",))
    with pytest.warns(UserWarning, match=r"mig\[bins=20\] in .* are dropped: .* --metrics"):
        assert evaluate(run, more)["metrics"].keys() == {"sap"}
    with pytest.warns(UserWarning, match=r"sap in .* are dropped"):
        evaluate(run, EvaluationConfig(num_points=300, metrics=("mig",)))


@pytest.mark.whole
def test_more_pictures_are_drawn_of_a_run_that_was_evaluated_and_fewer_are_not(run):
    def shown():
        return len(files.read_npz(run / files.RECONSTRUCTIONS)["originals"])

    assert shown() == 4
    more = EvaluationConfig(num_points=200, metrics=("mig",), num_pictures=7)
    train(config(), run, evaluation=more)
    assert shown() == 7
    train(config(), run, evaluation=FEW)
    train(config(), run, evaluation=EvaluationConfig(num_points=200, metrics=("sap",)))
    assert shown() == 16
    wider = EvaluationConfig(num_points=300, metrics=("mig", "sap"), num_pictures=4)
    train(config(), run, evaluation=wider)
    assert shown() == 16


def test_a_run_that_was_loaded_before_its_folder_changed_is_not_evaluated(run):
    old = load_run(run)
    train(config(steps=6), run, extend=True, evaluation=FEW)
    with pytest.raises(ValueError, match=r"was loaded at step 4, and .* is at 6 now"):
        evaluate(old, FEW)


def test_a_link_in_a_run_folder_leads_nowhere(run, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run / files.REPRESENTATION).unlink()
    (run / files.REPRESENTATION).symlink_to(victim)
    evaluate(run, EvaluationConfig(num_points=300, metrics=("mig",)))
    assert victim.read_text() == "precious"
    assert not (run / files.REPRESENTATION).is_symlink()


def test_a_checkpoint_that_is_a_link_is_resumed_and_replaced(run, tmp_path):
    moved = (run / files.CHECKPOINT).rename(tmp_path / "elsewhere")
    before = {path.name: path.read_bytes() for path in moved.iterdir()}
    (run / files.CHECKPOINT).symlink_to(moved)
    train(config(steps=10), run, extend=True, evaluation=FEW)
    assert not (run / files.CHECKPOINT).is_symlink()
    assert {path.name: path.read_bytes() for path in moved.iterdir()} == before


def test_a_reader_renames_nothing(stopped):
    (stopped / files.CHECKPOINT).rename(stopped / "checkpoint.old")
    assert load_run(stopped).step == 2
    assert not (stopped / files.CHECKPOINT).exists()
    train(config(steps=6), stopped, evaluation=FEW)
    assert not (stopped / "checkpoint.old").exists()


@pytest.mark.parametrize("name", [files.METRICS, f"{files.CHECKPOINT}/{files.STATE}"])
def test_a_file_that_holds_null_is_named(run, name):
    (run / name).write_text("null")
    if name == files.METRICS:
        with pytest.raises(
            ValueError, match=r"metrics\.json` must be JSON; got: None, not an obj"
        ):
            evaluate(run, FEW)
    else:
        with pytest.raises(ValueError, match=r"must be a whole checkpoint.*state\.json"):
            train(config(steps=6), run, extend=True, evaluation=FEW)


def test_a_run_folder_that_cannot_be_locked_is_named(run, tmp_path):
    (run / files.LOCK).unlink(missing_ok=True)
    (run / files.LOCK).symlink_to(run / files.LOCK)
    with pytest.raises(ValueError, match="must be a folder that can be written; got: "):
        evaluate(run, FEW)


def test_numpy_numbers_are_numbers():
    settings = TrainConfig()
    object.__setattr__(settings, "steps", np.int64(3))
    object.__setattr__(settings, "lr", np.float32(0.5))
    settings.__post_init__()
    assert (type(settings.steps), type(settings.lr)) == (int, float)
    with pytest.raises(ValueError, match="`data` must be a name or a path; got "):
        RunConfig(data="a\0b")


@pytest.mark.filterwarnings("ignore:.* in a run of")
@pytest.mark.parametrize("method", [*registry.available("methods"), "incremental"])
def test_bounds_of_beta_are_those_of_the_runs_controller(method):
    own = {"controller": "incremental"} if method == "incremental" else {}
    made = build(config("dynamicvae" if own else method, 5, method_config=own), Objects())
    controller = getattr(made.state.weighting, "controller", None)
    known = {"beta_min": -np.inf, "beta_max": np.inf}
    if controller is not None and method != "geco":
        known = {key: getattr(controller, key) for key in known}
    assert bounds_of(made.json) == known


def test_a_run_of_an_earlier_version_has_the_lower_bound_of_its_method():
    assert bounds_of(config("dynamicvae").to_json()) == {"beta_min": 0.1, "beta_max": np.inf}
    assert bounds_of(config("vae").to_json()) == {"beta_min": -np.inf, "beta_max": np.inf}


@pytest.mark.whole
def test_a_likelihood_that_the_method_replaces_is_warned_of(tmp_path):
    model = ModelConfig(architecture="mlp", likelihood="laplace")
    settings = TrainConfig(steps=1, batch_size=8)
    given = RunConfig(method="sigmavae", data="toy", model=model, train=settings)
    few = EvaluationConfig(num_points=50, metrics=("gaussian_total_correlation",))
    with pytest.warns(
        UserWarning, match="`likelihood` laplace is not used: sigmavae brings its own"
    ):
        train(given, tmp_path, evaluation=few)


def test_lvae_is_told_what_a_constant_image_costs():
    built = build(config("lvae"), Objects())
    x = built.dataset.sample(500).double().numpy()
    assert x.shape == (500, 1, 32, 32)
    assert np.array_equal(x, built.dataset.sample(500).double().numpy())  # a seed of its own

    def entropy(p):
        return -(xlogy(p, p) + xlogy(1 - p, 1 - p)).sum() / len(p)

    cost = entropy(np.broadcast_to(x.mean(axis=0), x.shape)) - entropy(x)
    assert built.state.weighting.explained == pytest.approx(0.119 * cost, rel=1e-3)
