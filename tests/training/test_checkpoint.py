import errno

import pytest
import torch

from autobeta import runs
from autobeta.errors import DivergedError
from autobeta.training import checkpoint
from autobeta.training.checkpoint import (
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
    write_tensors,
)


@pytest.fixture
def saved(make_run, tmp_path):
    _, state = make_run()
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

    monkeypatch.setattr(checkpoint.runs, "write_json", full)
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
    with torch.no_grad():
        next(state.modules()[broken].parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="must be finite to be saved; got NaN"):
        save_checkpoint(folder, state)
    assert contents(folder) == before


def test_checkpoint_left_between_two_renames_is_taken_up(saved):
    folder, state = saved
    old = folder.with_name("checkpoint.old")
    folder.rename(old)
    assert has_checkpoint(folder)
    load_checkpoint(folder, state)


def test_new_checkpoint_that_is_whole_is_preferred(saved, tmp_path):
    folder, state = saved
    state.step = 7
    save_checkpoint(tmp_path / "later", state)
    folder.rename(folder.with_name("checkpoint.old"))
    (tmp_path / "later").rename(folder.with_name("checkpoint.new"))
    assert has_checkpoint(folder)
    load_checkpoint(folder, state)
    assert state.step == 7


def test_half_written_new_checkpoint_is_ignored(saved):
    folder, state = saved
    new = folder.with_name("checkpoint.new")
    new.mkdir()
    (new / runs.MODEL).write_bytes(b"half")
    folder.rename(folder.with_name("checkpoint.old"))
    assert has_checkpoint(folder)
    load_checkpoint(folder, state)


def test_no_checkpoint_is_no_checkpoint(tmp_path):
    assert not has_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", [runs.MODEL, "training.safetensors", "state.json"])
def test_damaged_checkpoint_is_named(saved, name):
    folder, state = saved
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"must be a (safetensors file|whole checkpoint)"):
        load_checkpoint(folder, state)


def test_missing_file_is_named(saved):
    folder, state = saved
    (folder / runs.MODEL).unlink()
    with pytest.raises(ValueError, match="must be a whole checkpoint of this configuration"):
        load_checkpoint(folder, state)


def test_checkpoint_of_another_method_is_refused(saved, make_run):
    folder, _ = saved
    _, other = make_run("dynamicvae")
    with pytest.raises(ValueError, match="must be a whole checkpoint of this configuration"):
        load_checkpoint(folder, other)


def test_random_state_comes_back(saved):
    folder, state = saved
    torch.set_rng_state(torch.get_rng_state())
    expected = torch.randn(3)
    torch.manual_seed(12345)
    load_checkpoint(folder, state)
    assert torch.equal(torch.randn(3), expected)


def test_tensor_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(DivergedError, match="`a` must be finite"):
        write_tensors(path, {"a": torch.tensor([1.0, float("inf")])})
    assert not path.exists()
