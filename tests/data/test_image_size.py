"""Images that keep their own height and width: `image_size` None."""

import importlib.util
import io

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from autobeta.data import DataOptions, as_dataset, load_data, read_image
from autobeta.data._core.pixels import decode

PIXELS = np.random.default_rng(0).integers(2, 256, (6, 20, 36, 3), dtype=np.uint8)
OWN = DataOptions(image_size=None)
ALL = np.arange(6)


class Items(Dataset):
    """Images in a list."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i]


def save(path, images):
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(path / f"{i}.png")
    return path


def save_huggingface(path, images):
    datasets = pytest.importorskip("datasets")
    rows = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        rows.append({"bytes": stream.getvalue(), "path": None})
    features = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict({"image": rows}, features=features).save_to_disk(path)
    return path


def save_npz(path):
    np.savez(path.with_suffix(".npz"), images=PIXELS)
    return path.with_suffix(".npz")


def save_hdf5(path):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["images"] = PIXELS
    return path.with_suffix(".h5")


KINDS = {
    "array": lambda path: PIXELS,
    "floats": lambda path: PIXELS / 255,
    "npz": save_npz,
    "hdf5": save_hdf5,
    "folder": lambda path: save(path, PIXELS),
    "huggingface": lambda path: save_huggingface(path, PIXELS),
    "torch": lambda path: Items(torch.from_numpy(PIXELS).permute(0, 3, 1, 2)),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing of these tests may land in the user's caches."""
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path / "cache"))
    if importlib.util.find_spec("datasets"):
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hf")


@pytest.mark.parametrize("kind", KINDS)
def test_images_keep_their_height_width_and_pixels(tmp_path, kind):
    dataset = as_dataset(KINDS[kind](tmp_path / "mine"), OWN)
    assert dataset.image_shape == (20, 36, 3)
    assert np.array_equal(dataset.images(ALL), PIXELS)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_still_brought_to_what_is_asked_for(tmp_path, kind):
    dataset = as_dataset(KINDS[kind](tmp_path / "mine"), DataOptions(image_size=None, channels=1))
    grey = np.stack([np.array(Image.fromarray(image).convert("L")) for image in PIXELS])
    assert np.array_equal(dataset.images(ALL)[..., 0], grey)


def test_own_and_given_sizes_lie_beside_each_other_in_the_cache(tmp_path):
    path = save_npz(tmp_path / "mine")
    for options in (DataOptions(image_size=1), DataOptions(image_size=None, channels=1), OWN):
        shape = load_data(path, options).image_shape
        assert shape == ((1, 1, 3) if options.image_size else (20, 36, options.channels or 3))


MIXED = [*PIXELS[:2], PIXELS[2].transpose(1, 0, 2).copy(), PIXELS[3, :, :30]]
SEVERAL = {
    "folder": (save, "0.png", "2.png"),
    "huggingface": (save_huggingface, "image in row 0 of train", "image in row 2 of train"),
    "torch": (
        lambda path, images: Items([Image.fromarray(image) for image in images]),
        "item 0 of `data`",
        "item 2 of `data`",
    ),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_images_of_several_sizes_are_named_and_the_size_that_is_advised_takes_them(
    tmp_path, left_in, kind
):
    make, first, other = SEVERAL[kind]
    data = make(tmp_path / "mine", MIXED)
    said = f"`image_size` must be given .* 20 x 36 pixels in {first} and 36 x 20 in {other}. Give"
    with pytest.raises(ValueError, match=said):
        as_dataset(data, OWN)
    assert not (tmp_path / "cache").exists() or left_in(tmp_path / "cache") == []
    assert as_dataset(data, DataOptions(image_size=64)).image_shape == (64, 64, 3)


def test_grey_and_colour_of_one_size_go_together(tmp_path):
    save(tmp_path / "mine", [PIXELS[0], PIXELS[1, :, :, 0]])
    assert load_data(tmp_path / "mine", OWN).image_shape == (20, 36, 3)


def test_an_upright_image_has_the_size_that_is_seen(tmp_path):
    folder = save(tmp_path / "mine", PIXELS[:1])
    turned = Image.fromarray(PIXELS[1].transpose(1, 0, 2).copy())
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned.save(folder / "turned.png", exif=exif)
    assert load_data(folder, OWN).image_shape == (20, 36, 3)


def test_broken_images_are_left_out_before_sizes_are_compared(tmp_path):
    folder = save(tmp_path / "mine", PIXELS)
    (folder / "0.png").write_bytes(b"none")
    with pytest.warns(UserWarning, match="1 broken images skipped"):
        dataset = load_data(folder, DataOptions(image_size=None, skip_broken=True))
    assert len(dataset) == 5
    assert dataset.image_shape == (20, 36, 3)


def test_one_image_is_read_in_its_own_size_too(tmp_path):
    path = save(tmp_path / "mine", PIXELS[:1]) / "0.png"
    assert np.array_equal(read_image(path, None, 3), decode(path))


def test_a_set_without_images_is_refused(tmp_path):
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"], file["labels"] = np.zeros((0, 64, 64, 3), np.uint8), np.zeros((0, 6))
    options = DataOptions(path=tmp_path / "3dshapes.h5", image_size=None, unofficial=True)
    with pytest.raises(ValueError, match="`data` must have at least one image; got none"):
        load_data("shapes3d", options)


def test_a_rendered_set_is_of_its_published_size():
    assert load_data("toy", OWN).fingerprint == load_data("toy").fingerprint


def test_a_set_without_a_word_on_its_size_is_rendered_as_elsewhere(monkeypatch):
    from autobeta.data import toy

    monkeypatch.delattr(toy, "SIZE")
    assert load_data("toy", OWN).image_shape == (64, 64, 1)
