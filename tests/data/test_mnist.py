import gzip
import struct

import numpy as np
import pytest

from autobeta.data import DataOptions, load_data
from autobeta.data.mnist import FILES
from autobeta.errors import MissingDataError

TRAIN = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)
TEST = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
NAMES = [name.removesuffix(".gz") for name in FILES]
LABELS = [5, 0, 4, 1, 9, 2, 1], [7, 2, 1]


def options(**given):
    return DataOptions(unofficial=True, **given)


def idx(array):
    """The format of the official files: 0x803 for images, 0x801 for labels, big endian."""
    array = np.asarray(array, np.uint8)
    magic = {3: 2051, 1: 2049}[array.ndim]
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def place(folder, *, zipped=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(NAMES, (TRAIN, LABELS[0], TEST, LABELS[1]), strict=True):
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", ["", "raw", "MNIST/raw"])
def test_images_and_digits_are_read_and_the_official_split_is_kept(tmp_path, zipped, inside):
    place(tmp_path / "files" / inside, zipped=zipped)
    dataset = load_data("mnist", options(path=tmp_path / "files", image_size=32), tmp_path)
    assert dataset.image_shape == (32, 32, 1)
    assert dataset.splits["train"].tolist() == list(range(7))
    assert dataset.splits["test"].tolist() == [7, 8, 9]
    digits = dataset.factor_values(np.arange(10))
    assert digits[:, 0].tolist() == [*LABELS[0], *LABELS[1]]
    assert dataset.factor_space.names == ("digit",)


def test_images_are_scaled_as_pillow_does(tmp_path):
    from PIL import Image

    place(tmp_path / "mnist")
    dataset = load_data("mnist", options(), tmp_path)
    expected = Image.fromarray(TEST[1]).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(dataset.images(np.array([8]))[0, :, :, 0], np.asarray(expected))


def test_the_path_is_needed_once(tmp_path):
    folder = place(tmp_path / "files", zipped=True)
    first = load_data("mnist", options(path=folder), tmp_path / "cache")
    for file in folder.iterdir():
        file.unlink()
    again = load_data("mnist", options(), tmp_path / "cache")
    index = np.arange(10)
    assert np.array_equal(again.images(index), first.images(index))
    assert np.array_equal(again.factor_values(index), first.factor_values(index))


def test_files_that_are_not_as_published_must_be_asked_for(tmp_path):
    place(tmp_path / "mnist", zipped=True)
    with pytest.raises(ValueError, match=r"must have the published md5 .* with --unofficial"):
        load_data("mnist", root=tmp_path)


def test_missing_files_are_named_with_the_way_to_get_them(tmp_path):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[2]).unlink()
    with pytest.raises(MissingDataError, match=r"found no t10k-images-idx3-ubyte.gz in") as error:
        load_data("mnist", options(), tmp_path)
    assert str(tmp_path / "mnist") in str(error.value)
    assert "autobeta data prepare mnist --download" in str(error.value)
    assert "autobeta data prepare mnist --from FILE_OR_FOLDER" in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(TRAIN)[:-1], r"got 5487 bytes in place of 5488 for shape \(7, 28, 28\)"),
        (idx(TRAIN) + b"0", "got 5489"),
        (idx(LABELS[0]), "got 0x801 in place of 0x803"),
        (b"<html>not found</html>", "got 0x3c68746d in place of 0x803"),
        (b"", "got 0x0 .* in 0 bytes"),
        (idx(TRAIN)[:10], "got 0x803 .* in 10 bytes"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, left_in, data, message):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[0]).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_data("mnist", options(), tmp_path)
    assert left_in(tmp_path) == sorted(NAMES)


@pytest.mark.parametrize("keep", [slice(-20), slice(100, None)])
def test_a_damaged_gzip_file_is_refused(tmp_path, keep):
    place(tmp_path / "mnist", zipped=True)
    file = tmp_path / "mnist" / f"{NAMES[0]}.gz"
    file.write_bytes(file.read_bytes()[keep])
    with pytest.raises(ValueError, match="must be a whole gzip file"):
        load_data("mnist", options(), tmp_path)


@pytest.mark.parametrize("labels", [[1, 2], [5, 0, 4, 1, 9, 2, 10]])
def test_labels_that_do_not_fit_the_images_are_refused(tmp_path, labels):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[1]).write_bytes(idx(labels))
    with pytest.raises(ValueError, match=r"must be 10 numbers 0\.\.9; got"):
        load_data("mnist", options(), tmp_path)


def test_mnist_refuses_colour_and_takes_any_size(tmp_path):
    with pytest.raises(ValueError, match="`channels` must be 1 for mnist; got 3"):
        load_data("mnist", options(channels=3), tmp_path)
    place(tmp_path / "mnist")
    dataset = load_data("mnist", options(image_size=28), tmp_path)
    assert np.array_equal(dataset.images(np.arange(7))[..., 0], TRAIN)
