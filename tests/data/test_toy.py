import numpy as np
import pytest

from autobeta.data import DataOptions, check, load_data, toy


@pytest.mark.parametrize("size", [32, 64, 128])
def test_toy_is_a_full_grid_of_grey_squares(tmp_path, size, left_in):
    dataset = load_data("toy", DataOptions(image_size=size), tmp_path)
    assert dataset.num_images == dataset.factor_space.num_combinations == 2304
    assert dataset.image_shape == (size, size, 1)
    images = dataset.images(np.arange(2304))
    assert images.shape == (2304, size, size, 1)
    assert (images.reshape(2304, -1).max(axis=1) > 0).all()
    assert set(np.unique(images)) == {0, 64, 128, 191, 255}
    assert left_in(tmp_path) == []


def test_each_factor_does_what_its_name_says():
    def image(*factors):
        return toy.render(toy.SPACE.index(np.array([factors])))[0, :, :, 0].astype(float)

    def centre(pixels, axis):
        profile = pixels.sum(axis)
        return (profile * np.arange(64)).sum() / profile.sum()

    base = image(5, 5, 1, 1)
    assert centre(image(9, 5, 1, 1), 0) > centre(base, 0)
    assert centre(image(9, 5, 1, 1), 1) == centre(base, 1)
    assert centre(image(5, 9, 1, 1), 1) > centre(base, 1)
    assert (image(5, 5, 3, 1) > 0).sum() > (base > 0).sum()
    assert image(5, 5, 1, 3).max() == 255


def test_all_toy_images_at_64_pixels_differ():
    images = toy.render(np.arange(2304)).reshape(2304, -1)
    assert len(np.unique(images, axis=0)) == 2304


def test_toy_agrees_with_a_fresh_rendering(tmp_path):
    result = check(load_data("toy", DataOptions(image_size=32), tmp_path), num_images=50)
    assert (result.num_images, result.num_identical) == (50, 50)


def test_toy_refuses_colour_and_a_path(tmp_path):
    with pytest.raises(ValueError, match="`channels` must be 1 for toy; got 3"):
        load_data("toy", DataOptions(channels=3), tmp_path)
    with pytest.raises(ValueError, match="`path` must be left out for toy"):
        load_data("toy", DataOptions(path=tmp_path), tmp_path)
