from dataclasses import replace

import numpy as np
import pytest

from autobeta.data import DataOptions
from autobeta.data._core.dataset import held_out
from autobeta.data._core.sources import StoredImages, from_array, open_map


def packed_of(table, shape):
    return StoredImages(table=table, image_shape=shape, packed=True)


def test_all_images_are_for_training_unless_a_part_is_held_out(numbered):
    assert len(numbered) == 10
    assert list(numbered.splits) == ["train"]
    assert np.array_equal(numbered.splits["train"], np.arange(10))


def test_splits_without_a_train_part_are_refused(numbered):
    with pytest.raises(ValueError, match=r"must have a split 'train'; got \['test'\]"):
        replace(numbered, splits={"test": np.arange(2)})


def test_splits_that_name_missing_images_are_refused(numbered):
    with pytest.raises(ValueError, match=r"`index` must be in 0\.\.9; got 10"):
        replace(numbered, splits={"train": np.arange(11)})


def test_the_held_out_part_and_the_rest_make_up_the_whole():
    splits = held_out(50, DataOptions(test_fraction=0.2))
    assert len(splits["test"]) == 10
    assert np.array_equal(np.sort(np.concatenate(list(splits.values()))), np.arange(50))


def test_the_held_out_part_depends_on_its_seed_alone():
    first, again, other = (held_out(50, DataOptions(split_seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(first["test"], again["test"])
    assert not np.array_equal(first["test"], other["test"])


def test_a_small_fraction_holds_out_at_least_one_image_and_zero_none():
    assert len(held_out(4, DataOptions(test_fraction=0.01))["test"]) == 1
    assert list(held_out(4, DataOptions(test_fraction=0.0))) == ["train"]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"`test_fraction` must be in \[0, 1\); got"):
        DataOptions(test_fraction=fraction)


def test_a_split_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="must leave an image for training"):
        held_out(1, DataOptions())


def test_negative_positions_are_refused_rather_than_wrapped(numbered):
    with pytest.raises(ValueError, match="`index` must be in"):
        numbered.images(np.array([-1]))
    packed = packed_of(np.zeros((3, 2), np.uint8), (4, 4, 1))
    with pytest.raises(ValueError, match="`index` must be in"):
        packed(np.array([3]))


def test_packed_images_come_back_as_black_and_white():
    pixels = np.random.default_rng(0).integers(0, 2, (5, 4, 4, 1), dtype=np.uint8)
    packed = np.packbits(pixels.reshape(5, -1), axis=1)
    index = np.array([4, 0, 4])
    assert np.array_equal(packed_of(packed, (4, 4, 1))(index), pixels[index] * 255)


def test_arrays_give_the_images_asked_for():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    assert np.array_equal(from_array(images)(np.array([3, 1])), images[[3, 1]])


def test_reading_ahead_changes_no_image(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 20, 30, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    stored = from_array(open_map(tmp_path / "x.npy", images.shape))
    index = np.array([49, 0, 17, 17])
    stored.read_ahead(index)
    stored.read_ahead(np.array([], np.int64))
    assert np.array_equal(stored(index), images[index])
    from_array(images).read_ahead(index)  # in memory already: nothing to do


def test_a_damaged_cache_file_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((8, 4), np.uint8))
    assert open_map(path, (8, 4)).shape == (8, 4)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"must be a prepared data file.*Delete it"):
        open_map(path, (8, 4))


def test_a_cache_file_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((8, 4), np.uint8))
    with pytest.raises(ValueError, match=r"uint8 of \(8, 4\) in place of uint8 of \(9, 4\)"):
        open_map(tmp_path / "x.npy", (9, 4))
