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
    dataset = load_data("mnist", DataOptions(path=tmp_path / "files", image_size=32), tmp_path)
    assert dataset.image_shape == (32, 32, 1)
    assert dataset.splits["train"].tolist() == list(range(7))
    assert dataset.splits["test"].tolist() == [7, 8, 9]
    digits = dataset.factor_values(np.arange(10))
    assert digits[:, 0].tolist() == [*LABELS[0], *LABELS[1]]
    assert dataset.factor_space.names == ("digit",)


def test_images_are_scaled_as_pillow_does(tmp_path):
    from PIL import Image

    place(tmp_path / "mnist")
    dataset = load_data("mnist", root=tmp_path)
    expected = Image.fromarray(TEST[1]).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(dataset.images(np.array([8]))[0, :, :, 0], np.asarray(expected))


def test_the_path_is_needed_once(tmp_path):
    folder = place(tmp_path / "files", zipped=True)
    first = load_data("mnist", DataOptions(path=folder, image_size=32), tmp_path / "cache")
    for file in folder.iterdir():
        file.unlink()
    for size in (32, 64):
        again = load_data("mnist", DataOptions(image_size=size), tmp_path / "cache")
        assert np.array_equal(
            again.factor_values(np.arange(10)), first.factor_values(np.arange(10))
        )
    caches = sorted(file.name for file in (tmp_path / "cache" / "mnist").glob("*.npy"))
    assert [name[:9] for name in caches] == ["images-32", "images-64"]


def test_missing_files_are_named_with_the_way_to_get_them(tmp_path):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[2]).unlink()
    with pytest.raises(MissingDataError, match=r"found no t10k-images-idx3-ubyte there") as error:
        load_data("mnist", root=tmp_path)
    assert str(tmp_path / "mnist") in str(error.value)
    assert "autobeta data prepare mnist --download" in str(error.value)
    assert "autobeta data prepare mnist --from FOLDER" in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(TRAIN)[:-1], r"must hold 5488 bytes for its shape \(7, 28, 28\); got 5487"),
        (idx(TRAIN) + b"0", "got 5489"),
        (idx(LABELS[0]), "must begin with the IDX number 0x803; got 0x801"),
        (b"<html>not found</html>", "must begin with the IDX number 0x803; got 0x3c68746d"),
        (b"", "got 0x0 in 0 bytes"),
        (idx(TRAIN)[:10], "got 0x803 in 10 bytes"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, left_in, data, message):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[0]).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_data("mnist", root=tmp_path)
    assert left_in(tmp_path) == sorted(NAMES)


@pytest.mark.parametrize("keep", [slice(-20), slice(100, None)])
def test_a_damaged_gzip_file_is_refused(tmp_path, keep):
    place(tmp_path / "mnist", zipped=True)
    file = tmp_path / "mnist" / f"{NAMES[0]}.gz"
    file.write_bytes(file.read_bytes()[keep])
    with pytest.raises(ValueError, match="must be a whole gzip file"):
        load_data("mnist", root=tmp_path)


@pytest.mark.parametrize("labels", [[1, 2], [5, 0, 4, 1, 9, 2, 10]])
def test_labels_that_do_not_fit_the_images_are_refused(tmp_path, labels):
    place(tmp_path / "mnist")
    (tmp_path / "mnist" / NAMES[1]).write_bytes(idx(labels))
    with pytest.raises(ValueError, match=r"must be 10 numbers 0\.\.9; got"):
        load_data("mnist", root=tmp_path)


def test_mnist_refuses_colour_and_other_sizes(tmp_path):
    with pytest.raises(ValueError, match="`channels` must be 1 for mnist; got 3"):
        load_data("mnist", DataOptions(channels=3), tmp_path)
    with pytest.raises(ValueError, match="`image_size` must be 32 or 64 or 128 for mnist; got 28"):
        load_data("mnist", DataOptions(image_size=28), tmp_path)
