from dataclasses import replace

import numpy as np
import pytest

from autobeta.data import FactorSpace, VerifyResult, check, load_data, verify
from autobeta.errors import MissingDataError


@pytest.fixture
def sprites(tmp_path, few_sprites):

    return load_data("dsprites", root=tmp_path / "cache")


def test_identical_images_are_counted_at_their_positions(tmp_path, sprites):
    index = np.array([3, 1000, 2047, 3])
    images = sprites.images(index)[..., 0] // 255
    np.savez(tmp_path / "x.npz", imgs=images, original_dataset_indices=index)
    assert verify(sprites, tmp_path / "x.npz") == VerifyResult(4, 4, 0)


def test_differing_pixels_are_counted(tmp_path, sprites):
    images = sprites.images(np.arange(1500))[..., 0]
    images[2, 0, :3] ^= 255
    images[1400, 5, 5] ^= 255
    np.savez(tmp_path / "x.npz", imgs=images, original_dataset_indices=np.arange(1500))
    result = verify(sprites, tmp_path / "x.npz")
    assert result == VerifyResult(1500, 1498, 4)
    assert str(result) == "1498 of 1500 images identical, 4 pixels differ"


def test_ones_are_white_only_where_nothing_in_the_file_is_above_them(tmp_path, sprites):
    images = sprites.images(np.arange(1500))[..., 0]
    images[:1100] //= 255
    np.savez(tmp_path / "x.npz", imgs=images, original_dataset_indices=np.arange(1500))
    assert verify(sprites, tmp_path / "x.npz").num_identical == 400


@pytest.mark.parametrize("with_colour", [True, False])
def test_positions_are_found_from_classes_with_or_without_colour(tmp_path, sprites, with_colour):
    index = np.array([7, 1024, 2000])
    classes = sprites.factor_space.factors(index)
    if with_colour:
        classes = np.concatenate([np.zeros((3, 1), int), classes], axis=1)
    images = sprites.images(index)[..., 0] // 255
    np.savez(tmp_path / "x.npz", imgs=images, latents_classes=classes)
    assert verify(sprites, tmp_path / "x.npz").num_identical == 3


def test_a_missing_file_is_refused(tmp_path, sprites):
    with pytest.raises(MissingDataError, match=r"must be an \.npz file; found none at"):
        verify(sprites, tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(2)}, r"must hold an array 'imgs'; got \['x'\]"),
        ({"imgs": np.zeros((2, 64, 64), np.uint8)}, "must hold 'original_dataset_indices' or"),
        ({"imgs": np.zeros((2, 32, 32), np.uint8)}, r"uint8 of shape \(N, 64, 64\) .* got uint8"),
        ({"imgs": np.zeros((2, 64, 64))}, r"uint8 of shape \(N, 64, 64\) .* got float64"),
        (
            {
                "imgs": np.zeros((2, 64, 64), np.uint8),
                "original_dataset_indices": np.arange(3),
            },
            "got 3 positions for 2 images",
        ),
        (
            {
                "imgs": np.zeros((1, 64, 64), np.uint8),
                "original_dataset_indices": np.array([9999]),
            },
            r"`index` must be in 0\.\.2047; got 9999",
        ),
    ],
)
def test_a_file_that_can_not_be_compared_is_refused(tmp_path, sprites, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        verify(sprites, tmp_path / "x.npz")


def test_classes_are_of_no_use_without_a_factor_space(tmp_path, numbered):
    np.savez(
        tmp_path / "x.npz",
        imgs=np.zeros((1, 4, 4), np.uint8),
        latents_classes=np.zeros((1, 1), int),
    )
    with pytest.raises(ValueError, match="its images can't be placed in numbered"):
        verify(numbered, tmp_path / "x.npz")
    gridded = replace(numbered, factor_space=FactorSpace(("n",), (10,)))
    assert verify(gridded, tmp_path / "x.npz").num_identical == 1


def test_check_finds_a_damaged_cache(tmp_path, sprites):
    assert check(sprites, num_images=100) == VerifyResult(100, 100, 0)
    file = tmp_path / "cache" / "dsprites" / "rendered-64.npy"
    data = bytearray(file.read_bytes())
    data[-512 * 1000 :] = bytes(512 * 1000)
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"rendered-64.npy` must read back .* image \d+ does not"):
        check(sprites, num_images=2048)


def test_check_needs_something_to_compare_with(numbered):
    with pytest.raises(ValueError, match="must be one that autobeta can render; got numbered"):
        check(numbered)
