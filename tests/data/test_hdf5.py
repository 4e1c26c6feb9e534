import sys

import h5py
import numpy as np
import pytest

from autobeta.data import DataOptions, load_data
from autobeta.errors import MissingDataError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(2, 256, (7, 32, 32, 3), dtype=np.uint8)


def save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def options(path, **changes):
    return DataOptions(path=path, image_size=32, **changes)


def test_without_h5py_the_extra_is_named(tmp_path, pixels, monkeypatch):
    path = save(tmp_path / "mine.h5", images=pixels)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"`h5py` must be .*mine\.h5.*autobeta\[hdf5\]"):
        load_data(str(path), options(None), tmp_path)


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_a_file_is_opened_by_its_path(tmp_path, pixels, suffix):
    path = save(tmp_path / f"mine{suffix}", images=pixels)
    dataset = load_data(str(path), options(None), tmp_path)
    assert dataset.name == "hdf5"
    assert dataset.source == f"7 images of the file mine{suffix}"
    assert np.array_equal(dataset.images(np.arange(7)), pixels)
    assert len(dataset.splits["test"]) == 1


def test_factors_and_their_names_are_read(tmp_path, pixels):
    factors = np.array([[i % 2, i % 3] for i in range(7)])
    path = save(tmp_path / "x.h5", images=pixels, factors=factors, factor_names=["a", "b"])
    dataset = load_data("hdf5", options(path), tmp_path)
    assert dataset.factor_space.names == ("a", "b")
    assert dataset.factor_space.sizes == (2, 3)
    assert np.array_equal(dataset.factor_values(np.arange(7)), factors)


def test_floats_and_images_in_a_group_are_read(tmp_path, pixels):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        grey = pixels[..., 0] / np.float32(255)
        file.create_dataset("set/pictures", data=grey, chunks=(1, 8, 8))
        file["set/number"] = 3
    dataset = load_data("hdf5", options(tmp_path / "x.h5"), tmp_path)
    assert np.array_equal(dataset.images(np.arange(7))[..., 0], pixels[..., 0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((4, 8, 8, 2), np.uint8)}, r"or \(N, height, width, 1 or 3\); got"),
        ({"images": np.zeros((4, 8, 8), np.int64)}, r"uint8 0..255, bool, or floats in \[0, 1\]"),
        ({"images": np.full((4, 8, 8), np.nan)}, r"floats in \[0, 1\]; got nan in image 0"),
        ({"codes": np.zeros((4, 8))}, r"must hold an array 'images'.*got codes \(4, 8\)"),
        ({}, "must hold an array 'images'.*got none"),
    ],
)
def test_what_breaks_a_rule_is_refused(tmp_path, arrays, message):
    path = save(tmp_path / "x.h5", **arrays)
    with pytest.raises(ValueError, match=message):
        load_data("hdf5", options(path), tmp_path)


def test_a_damaged_file_is_refused(tmp_path, pixels):
    path = save(tmp_path / "x.h5", images=pixels)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"x\.h5` must be a whole HDF5 file; got"):
        load_data("hdf5", options(path), tmp_path)
    with pytest.raises(MissingDataError, match=r"must be an .h5 or .hdf5 file; found none at"):
        load_data("hdf5", options(tmp_path / "none.h5"), tmp_path)
