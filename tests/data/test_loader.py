"""A FactorDataset is a torch Dataset: for a DataLoader, its workers and other processes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset, random_split

from autobeta.data import Batches, DataOptions, load_data
from autobeta.data._core.prepare import rows_of

SMALL = DataOptions(image_size=32)


@pytest.fixture
def toy():
    return load_data("toy", SMALL)


@pytest.fixture
def mapped(tmp_path):
    """A data set whose images are a memory map, of factors in a table."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=pixels, factors=np.arange(40)[:, None] % 5)
    dataset = load_data(tmp_path / "own.npz", SMALL, tmp_path / "cache")
    assert isinstance(dataset.images.table, np.memmap)
    return dataset


def test_an_item_is_the_image_as_a_batch_has_it(toy):
    assert isinstance(toy, Dataset)
    assert toy[7].shape == (1, 32, 32)
    assert toy[7].dtype == torch.float32
    assert torch.equal(toy[7], torch.from_numpy(toy.images(np.array([7]))[..., 0] / 255).float())
    assert torch.equal(toy[-1], toy[len(toy) - 1])
    assert torch.equal(toy[torch.tensor(3)], toy[np.int64(3)])


@pytest.mark.parametrize("index", [2304, -2305])
def test_an_item_that_is_not_there_is_an_index_error(toy, index):
    with pytest.raises(IndexError, match=rf"`index` must be in 0\.\.2303.*got {index}"):
        toy[index]


def test_a_loop_over_a_data_set_ends(toy):
    few = replace(toy, num_images=3, splits={"train": np.arange(3)})
    assert len(list(few)) == 3


def test_a_loader_reads_a_batch_at_once(toy, monkeypatch):
    calls = []
    counted = replace(toy, images=lambda index: calls.append(len(index)) or toy.images(index))
    [*batches] = DataLoader(Subset(counted, range(40)), batch_size=16)
    assert calls == [16, 16, 8]
    assert torch.equal(torch.cat(batches), torch.stack([toy[i] for i in range(40)]))


@pytest.mark.whole
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_give_what_the_process_itself_would(mapped, start):
    options = {"batch_size": 8, "num_workers": 1, "multiprocessing_context": start}
    found = torch.cat(list(DataLoader(mapped, **options)))
    assert torch.equal(found, torch.cat(list(DataLoader(mapped, batch_size=8))))


def test_images_in_a_file_are_sent_to_another_process_by_their_place(mapped):
    sent = pickle.dumps(mapped)
    assert len(sent) < mapped.images.table.nbytes / 10
    again = pickle.loads(sent)
    assert isinstance(again.images.table, np.memmap)
    assert again.fingerprint == mapped.fingerprint
    assert np.array_equal(again.factor_values(np.arange(40)), mapped.factor_values(np.arange(40)))


def test_images_in_memory_are_sent_whole(toy):
    again = pickle.loads(pickle.dumps(toy))
    index = np.arange(10)
    assert np.array_equal(again.images(index), toy.images(index))
    assert again.fingerprint == toy.fingerprint
    with pytest.raises(ValueError, match=r"`index` must be in 0\.\.1"):
        pickle.loads(pickle.dumps(rows_of(np.zeros((2, 1), int))))(np.array([2]))


def test_parts_of_torch_are_parts_of_a_data_set(toy):
    parts = random_split(toy, [2000, 304], torch.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [2000, 304]
    assert next(iter(DataLoader(parts[1], batch_size=4))).shape == (4, 1, 32, 32)


def test_a_loader_and_batches_give_the_same_images(toy):
    some = replace(toy, splits={"train": np.arange(64)})
    loaded = next(iter(DataLoader(Subset(toy, range(64)), batch_size=64)))
    batch = next(Batches(some, 64, seed=0))
    assert torch.equal(
        loaded.flatten(1).sum(1).sort().values, batch.flatten(1).sum(1).sort().values
    )
