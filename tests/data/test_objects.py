"""Data sets from objects: arrays and torch Datasets."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from autobeta.data import DataOptions, as_dataset

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
ALL = np.arange(12)
FIRST = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)


class Items(Dataset):
    """Items made by a function of their position."""

    def __init__(self, make, count=12):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return self.make(i)


def test_a_data_set_stays_itself_and_names_and_paths_are_opened(tmp_path):
    toy = as_dataset("toy")
    assert toy.name == "toy"
    assert as_dataset(toy) is toy
    np.save(tmp_path / "x.npy", PIXELS)
    assert as_dataset(tmp_path / "x.npy").fingerprint == as_dataset(PIXELS).fingerprint


@pytest.mark.parametrize(
    "change",
    [lambda x: x, lambda x: x / 255, lambda x: x.astype(">f4") / 255],
    ids=["bytes", "floats", "big endian"],
)
def test_an_array_is_read_as_one_in_a_file(change):
    dataset = as_dataset(change(PIXELS))
    assert np.array_equal(dataset.images(ALL), PIXELS)
    assert dataset.source == "12 images of an array"
    assert len(dataset.splits["test"]) == 1
    assert as_dataset(PIXELS, DataOptions(image_size=32, channels=1)).image_shape == (32, 32, 1)
    binary = as_dataset(PIXELS[..., 0] > 9).images(ALL)
    assert np.array_equal(binary[..., 0], (PIXELS[..., 0] > 9) * np.uint8(255))


def test_an_array_that_breaks_a_rule_is_refused_as_one_in_a_file_is():
    with pytest.raises(ValueError, match=r"four channels; drop alpha with images\[\.\.\., :3\]"):
        as_dataset(PIXELS[..., [0, 1, 2, 2]])
    with pytest.raises(ValueError, match="`channels` must be 1 or 3 for an array; got 2"):
        as_dataset(PIXELS, DataOptions(channels=2))


ITEMS = {
    "Pillow": lambda i: Image.fromarray(PIXELS[i]),
    "uint8 tensor": lambda i: FIRST[i],
    "float tensor": lambda i: FIRST[i] / 255,
    "array": lambda i: PIXELS[i],
    "tuple": lambda i: (FIRST[i],),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_items_of_a_torch_data_set_are_images(kind):
    dataset = as_dataset(Items(ITEMS[kind]))
    assert np.array_equal(dataset.images(ALL), PIXELS)
    assert dataset.factor_space is None
    assert dataset.name == "Items"


@pytest.mark.parametrize(
    ("labels", "names", "last"),
    [
        (lambda i: [i % 3], ("label",), [2]),
        (lambda i: [torch.tensor(i % 3)], ("label",), [2]),
        (lambda i: [["cat", "ant"][i % 2]], ("label",), [0]),
        (lambda i: [i % 2 == 0], ("label",), [0]),
        (lambda i: [torch.tensor([i % 2, i % 3])], ("factor_0", "factor_1"), [1, 2]),
        (lambda i: [i % 2, i % 3], ("factor_0", "factor_1"), [1, 2]),
    ],
    ids=["whole", "0-d tensor", "text", "boolean", "1-d tensor", "tuple"],
)
def test_labels_of_a_torch_data_set_are_factors(labels, names, last):
    dataset = as_dataset(Items(lambda i: (FIRST[i], *labels(i))))
    assert dataset.factor_space.names == names
    assert dataset.factor_values(np.array([11])).tolist() == [last]


@pytest.mark.parametrize("label", [0.5, None, {"boxes": 1}])
def test_labels_that_are_no_factor_values_are_said_and_left_out(label):
    with pytest.warns(UserWarning, match="labels of `data` are not used as factors: `label` must"):
        dataset = as_dataset(Items(lambda i: (FIRST[i], label)))
    assert dataset.factor_space is None


def test_masks_among_labels_are_said_and_left_out_and_the_others_are_factors():
    with pytest.warns(UserWarning, match="masks and other images of `data` are not used"):
        dataset = as_dataset(Items(lambda i: (FIRST[i], FIRST[i], i % 3)))
    assert dataset.factor_space.names == ("label",)


def test_masked_pixels_are_refused():
    images = FIRST.permute(0, 2, 3, 1).numpy()
    with pytest.raises(ValueError, match=r"no masked pixels. Give data.filled\(0\)"):
        as_dataset(np.ma.masked_greater(images, 100))
    assert as_dataset(np.ma.masked_greater(images, 255)).num_images == 12


def test_grey_and_colour_items_of_any_size_become_rgb_of_one_size():
    dataset = as_dataset(Items(lambda i: Image.new("L" if i else "RGB", (30 + i, 50), 90)))
    assert dataset.image_shape == (64, 64, 3)
    assert (dataset.images(ALL)[1:] == 90).all()


def test_black_and_white_as_0_and_1_is_told_from_the_whole_set():
    binary = TensorDataset((FIRST[:, :1] > 127).to(torch.uint8))
    assert set(np.unique(as_dataset(binary).images(ALL))) == {0, 255}
    mixed = FIRST[:, :1].clone()
    mixed[3] = 1  # one dark image among others
    assert (as_dataset(TensorDataset(mixed)).images(np.array([3])) == 1).all()


@pytest.mark.parametrize("shape", [(64, 64, 3), (4, 64, 64)])
def test_a_tensor_of_another_shape_is_taken_when_the_advice_is_followed(shape):
    images = torch.rand(12, *shape)
    with pytest.raises(ValueError, match=r"item 0 of `data` must be a tensor \(1 or 3, ") as error:
        as_dataset(TensorDataset(images))
    advice = re.search(r"Give (image.*)\.", str(error.value))[1]
    dataset = as_dataset(Items(lambda i: eval(advice, {"image": images[i]})))
    assert dataset.image_shape == (64, 64, 3)


class Endless(IterableDataset):
    """Has no length."""

    def __iter__(self):
        yield FIRST[0]


class Counted(Endless):
    """Has one, and no items all the same."""

    def __len__(self):
        return 12


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "got int. Collect"),
        ([1], "got list. Collect"),
        (None, "got NoneType. Collect"),
        (Endless(), "Endless. Collect its images"),
        (Counted(), "Counted. Collect its images"),
        (FIRST, r"got torch.Tensor. Give .* tensor.permute\(0, 2, 3, 1\).numpy\(\)"),
        (Items(lambda i: "text"), "item 0 of `data` must be an image, .* got str"),
        (Items(lambda i: {"image": FIRST[i]}), "item 0 of `data` must be an image, .* got dict"),
    ],
)
def test_anything_else_is_named(data, message):
    with pytest.raises(TypeError, match=message):
        as_dataset(data)
    assert as_dataset(FIRST.permute(0, 2, 3, 1).numpy()).num_images == 12


@pytest.mark.parametrize(
    ("make", "count", "message"),
    [
        (lambda i: FIRST[i] * 1.5, 12, r"floats in \[0, 1\]; got .* in image 0"),
        (
            lambda i: Image.new("I", (8, 8)),
            12,
            "item 0 of `data` must be a readable image; got numbers of 32 bits",
        ),
        (None, 0, "must have at least one image"),
    ],
)
def test_items_that_break_a_rule_are_refused(make, count, message):
    with pytest.raises(ValueError, match=message):
        as_dataset(Items(make, count))


def test_every_image_of_an_array_and_every_split_counts_in_the_fingerprint():
    images = np.random.default_rng(1).integers(0, 256, (9000, 8, 8), dtype=np.uint8)
    options = DataOptions(image_size=8)
    first = as_dataset(images, options)
    for i in (1, 4500, 8999):
        changed = images.copy()
        changed[i, 3, 3] ^= 1
        assert as_dataset(changed, options).fingerprint != first.fingerprint
    halves = [{"train": np.arange(4500)}, {"train": np.arange(4500, 9000)}]
    a, b = (replace(first, splits=half).fingerprint for half in halves)
    assert a != b


def test_items_with_unlike_labels_are_named_and_bfloat16_is_a_number():
    ragged = Items(lambda i: (FIRST[i], *range(1 + i // 5)))
    with pytest.raises(
        ValueError, match="equally many labels; got 1 with item 0 and 2 with item 5"
    ):
        as_dataset(ragged)
    half = Items(lambda i: (FIRST[i] / 255).bfloat16())
    assert as_dataset(half).num_images == 12
