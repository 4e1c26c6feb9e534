from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from autobeta.data import Batches, load_data
from autobeta.data._core import batches as _batches
from autobeta.data._core import sources as _sources
from autobeta.data._core.dataset import DataOptions
from autobeta.data._core.sources import StoredImages


def positions(batch):
    return (batch[:, 0, 0, 0] * 255).round().int().tolist()


def test_batches_are_floats_in_the_unit_interval_with_channels_last(tmp_path):
    dataset = load_data("toy", DataOptions(image_size=32), tmp_path)
    x = next(Batches(dataset, 16, seed=0))
    assert x.shape == (16, 1, 32, 32)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x.min() == 0
    assert x.max() == 1


def test_pixels_keep_their_place_and_value(numbered):
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    dataset = replace(
        numbered, num_images=1, image_shape=(4, 4, 3), splits={}, images=images.__getitem__
    )
    x = next(Batches(dataset, 1, seed=0))
    expected = torch.from_numpy(images.transpose(0, 3, 1, 2)).float() / 255
    assert torch.equal(x, expected)
    assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
def test_every_epoch_has_every_image_once_though_batches_span_epochs(numbered, batch_size):
    batches = Batches(numbered, batch_size, seed=0)
    seen = [i for x in islice(batches, 30) for i in positions(x)]
    for start in range(0, len(seen) - 9, 10):
        assert sorted(seen[start : start + 10]) == list(range(10))
    if batch_size == 1:
        assert seen[:10] != seen[10:20]


def test_the_order_depends_on_the_seed_and_on_nothing_else(numbered):
    first = positions(next(Batches(numbered, 10, seed=3)))
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert positions(next(Batches(numbered, 10, seed=3))) == first
    assert positions(next(Batches(numbered, 10, seed=4))) != first


def test_torch_draws_are_left_alone(numbered):
    before = torch.get_rng_state()
    next(Batches(numbered, 3, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("taken", [0, 1, 3, 4, 10, 25])
def test_a_resume_goes_on_bit_for_bit(numbered, taken):
    batches = Batches(numbered, 3, seed=0)
    for _ in range(taken):
        next(batches)
    state = batches.state_dict()
    ahead = [next(batches) for _ in range(8)]
    resumed = Batches(numbered, 3, seed=12345)
    resumed.load_state_dict(state)
    assert all(torch.equal(next(resumed), x) for x in ahead)
    assert state["generator"].dtype == torch.uint8


def test_a_state_does_not_change_after_it_was_taken(numbered):
    batches = Batches(numbered, 3, seed=0)
    state = batches.state_dict()
    before = state["generator"].clone()
    for _ in range(10):
        next(batches)
    assert state["position"] == 0
    assert torch.equal(state["generator"], before)


def test_only_the_named_part_is_drawn_from(numbered):
    dataset = replace(numbered, splits={"train": np.arange(5), "test": np.array([7, 9])})
    assert sorted(positions(next(Batches(dataset, 2, seed=0, split="test")))) == [7, 9]
    assert sorted(positions(next(Batches(dataset, 5, seed=0)))) == [0, 1, 2, 3, 4]


def test_a_part_that_does_not_exist_is_refused(numbered):
    with pytest.raises(ValueError, match="`split` must be one of train; got 'test'"):
        Batches(numbered, 2, seed=0, split="test")


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_larger_than_the_part_is_refused(numbered, batch_size):
    with pytest.raises(ValueError, match=rf"must be in 1\.\.10, .* got {batch_size}"):
        Batches(numbered, batch_size, seed=0)


def test_the_state_of_a_larger_data_set_is_refused(numbered):
    state = Batches(numbered, 3, seed=0).state_dict() | {"position": 11}
    with pytest.raises(ValueError, match=r"`position` must be in 0\.\.10; got 11"):
        Batches(numbered, 3, seed=0).load_state_dict(state)


@pytest.mark.gpu
def test_batches_on_a_gpu_have_the_same_bits(tmp_path):
    dataset = load_data("toy", root=tmp_path)
    here, there = Batches(dataset, 64, seed=0), Batches(dataset, 64, seed=0, device="cuda")
    for _ in range(5):
        assert torch.equal(next(here), next(there).cpu())


@pytest.mark.parametrize("packed", [False, True])
def test_a_set_on_the_device_gives_the_same_batches(numbered, packed):
    if packed:
        bits = np.random.default_rng(0).integers(0, 256, (10, 6), dtype=np.uint8)
        numbered = replace(
            numbered,
            image_shape=(4, 4, 3),
            images=StoredImages(table=bits, image_shape=(4, 4, 3), packed=True),
        )
    streamed = Batches(numbered, 7, seed=0)
    gathered = Batches(numbered, 7, seed=0, resident=True)
    for _ in range(5):
        expected, found = next(streamed), next(gathered)
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()
    gathered.load_state_dict(streamed.state_dict())
    assert torch.equal(next(gathered), next(streamed))


def test_a_large_set_reaches_the_device_in_parts(numbered, monkeypatch):
    monkeypatch.setattr(_sources, "_COPIED", 3 * 16)
    gathered = Batches(numbered, 10, seed=0, resident=True)
    assert sorted(positions(next(gathered))) == list(range(10))


def test_what_is_not_stored_cannot_be_moved(numbered):
    rendered = replace(numbered, images=lambda index: numbered.images(index))
    assert len(next(Batches(rendered, 4, seed=0))) == 4
    with pytest.raises(ValueError, match="`resident` must be left out for numbered"):
        Batches(rendered, 4, seed=0, resident=True)


def test_every_image_is_asked_for_once_before_it_is_used(numbered, monkeypatch):
    asked = []
    monkeypatch.setattr(StoredImages, "read_ahead", lambda _, index: asked.extend(index.tolist()))
    monkeypatch.setattr(_batches, "_AHEAD", 2)
    batches = Batches(replace(numbered, splits={"train": np.arange(1, 10)}), 2, seed=0)
    used = []
    for _ in range(9):
        used += positions(next(batches))
        assert used == asked[: len(used)]
        assert len(asked) in (min(len(used) + 4, 9), min(len(used) + 4, 18))
    assert used == asked
    batches.load_state_dict(batches.state_dict() | {"position": 4})
    asked.clear()
    assert positions(next(batches)) == asked[:2]


@pytest.mark.gpu
def test_a_set_that_fits_lies_on_the_gpu(numbered):
    batches = Batches(numbered, 7, seed=0, device="cuda")
    assert batches._on_device is not None
    assert torch.equal(next(batches).cpu(), next(Batches(numbered, 7, seed=0)))
