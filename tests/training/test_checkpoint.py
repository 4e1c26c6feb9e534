import errno

import pytest
import torch

from autobeta.errors import DivergedError
from autobeta.objectives import Elbo
from autobeta.run import folder as runs
from autobeta.training import checkpoint, make_state
from autobeta.training.checkpoint import (
    has_checkpoint,
    load_checkpoint,
    read_facts,
    read_tensors,
    save_checkpoint,
    write_tensors,
)


@pytest.fixture
def saved(make_run, tmp_path):
    _, state = make_run()
    state.step = 2
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, state)
    return folder, state


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_full_disk_keeps_the_former_checkpoint(saved, monkeypatch):
    folder, state = saved
    before = contents(folder)
    state.step = 5

    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.files, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(folder, state)
    assert contents(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("broken", ["model", "weighting"])
def test_unfinite_tensors_are_never_saved_over_a_good_checkpoint(make_run, tmp_path, broken):
    _, state = make_run("lvae")
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, state)
    before = contents(folder)
    next(iter(state.modules()[broken].state_dict().values())).fill_(float("nan"))
    with pytest.raises(DivergedError, match="must be finite to be saved; got NaN"):
        save_checkpoint(folder, state)
    assert contents(folder) == before


def test_checkpoint_left_between_two_renames_is_taken_up(saved):
    folder, state = saved
    old = folder.with_name("checkpoint.old")
    folder.rename(old)
    assert has_checkpoint(folder)
    load_checkpoint(folder, state, log_every=2)


def test_new_checkpoint_that_is_whole_is_preferred(saved, tmp_path):
    folder, state = saved
    state.step = 7
    save_checkpoint(tmp_path / "later", state)
    folder.rename(folder.with_name("checkpoint.old"))
    (tmp_path / "later").rename(folder.with_name("checkpoint.new"))
    assert has_checkpoint(folder)
    load_checkpoint(folder, state, log_every=2)
    assert state.step == 7


def test_half_written_new_checkpoint_is_ignored(saved):
    folder, state = saved
    new = folder.with_name("checkpoint.new")
    new.mkdir()
    (new / runs.MODEL).write_bytes(b"half")
    folder.rename(folder.with_name("checkpoint.old"))
    assert has_checkpoint(folder)
    load_checkpoint(folder, state, log_every=2)


def test_no_checkpoint_is_no_checkpoint(tmp_path):
    assert not has_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", [runs.MODEL, "training.safetensors", "state.json"])
def test_damaged_checkpoint_is_named(saved, name):
    folder, state = saved
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"must be a whole checkpoint of this configuration"):
        load_checkpoint(folder, state, log_every=2)


def test_missing_file_is_named(saved):
    folder, state = saved
    (folder / runs.MODEL).unlink()
    with pytest.raises(ValueError, match="must be a whole checkpoint of this configuration"):
        load_checkpoint(folder, state, log_every=2)


def test_checkpoint_of_another_method_is_refused(saved, make_run):
    folder, _ = saved
    _, other = make_run("dynamicvae")
    with pytest.raises(ValueError, match="must be a whole checkpoint of this configuration"):
        load_checkpoint(folder, other, log_every=2)


def test_random_state_comes_back(saved):
    folder, state = saved
    torch.set_rng_state(torch.get_rng_state())
    expected = torch.randn(3)
    torch.manual_seed(12345)
    load_checkpoint(folder, state, log_every=2)
    assert torch.equal(torch.randn(3), expected)


def test_tensor_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(DivergedError, match="`a` must be finite"):
        write_tensors(path, {"a": torch.tensor([1.0, float("inf")])})
    assert not path.exists()


@pytest.mark.parametrize("name", [runs.MODEL, runs.TRAINING])
def test_a_flipped_bit_is_noticed(saved, name):
    folder, state = saved
    data = bytearray((folder / name).read_bytes())
    data[-100] ^= 4
    (folder / name).write_bytes(bytes(data))
    with pytest.raises(ValueError, match=rf"{name}` must be a whole .* got another"):
        load_checkpoint(folder, state, log_every=2)


@pytest.mark.parametrize(
    "counts",
    [{"step": 0}, {"step": -1}, {"step": 1.5}, {"step": True}, {"position": 1.5}, {"step": 4}, {}],
)
def test_counters_that_are_not_those_of_the_tensors_are_refused(make_run, tmp_path, counts):
    _, state = make_run()
    state.step = 2
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, state)
    written = runs.read_json(folder / runs.STATE)
    runs.write_json(folder / runs.STATE, written | counts if counts else {})
    with pytest.raises(ValueError, match=rf"must be a whole checkpoint.*{runs.STATE} with"):
        load_checkpoint(folder, state, log_every=2)


def test_tied_weights_are_saved_and_come_back(tmp_path):
    layer = torch.nn.Linear(3, 3)
    tied = torch.nn.Sequential(layer, torch.nn.ReLU(), layer)
    write_tensors(tmp_path / "a.safetensors", tied.state_dict(), step=3)
    found = read_tensors(tmp_path / "a.safetensors")
    assert found.keys() == tied.state_dict().keys()
    assert read_facts(tmp_path / "a.safetensors")["step"] == 3
    tied.load_state_dict(found)


def test_parameters_of_an_objective_that_is_no_adversary_are_trained(make_run):
    config, state = make_run()
    objective = Elbo()
    objective.weight = torch.nn.Parameter(torch.zeros(()))
    made = make_state(state.model, objective, state.weighting, state.batches, config.train)
    owned = {id(p) for group in made.optimizer.param_groups for p in group["params"]}
    assert id(objective.weight) in owned
