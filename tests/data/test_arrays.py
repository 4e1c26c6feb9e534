import numpy as np
import pytest

from autobeta.data import DataOptions, load_data
from autobeta.errors import MissingDataError

GREY = np.random.default_rng(0).integers(0, 256, (6, 64, 64), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)


def load(tmp_path, images=None, /, *, options=None, suffix="npz", **others):
    path = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        np.save(path, images)
    else:
        np.savez(path, **({"images": images} if images is not None else {}), **others)
    return load_data("arrays", DataOptions(path=path, **(options or {})), tmp_path / "cache")


def whole(dataset):
    return dataset.images(np.arange(len(dataset)))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize("images", [GREY, GREY[..., None], COLOUR], ids=["3d", "grey", "rgb"])
def test_bytes_are_kept_as_they_are(tmp_path, images, suffix):
    dataset = load(tmp_path, images, suffix=suffix)
    expected = images if images.ndim == 4 else images[..., None]
    assert dataset.image_shape == expected.shape[1:]
    assert np.array_equal(whole(dataset), expected)
    assert dataset.source == f"6 images of the file x.{suffix}"
    assert len(dataset.splits["test"]) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_rounded_to_256_levels(tmp_path, dtype):
    assert np.array_equal(whole(load(tmp_path, (GREY / 255).astype(dtype)))[..., 0], GREY)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_binary_images_become_black_and_white(tmp_path, dtype):
    images = (GREY > 127).astype(dtype)
    assert np.array_equal(whole(load(tmp_path, images))[..., 0], images * np.uint8(255))


def test_the_only_array_of_images_needs_no_name(tmp_path):
    dataset = load(tmp_path, imgs=GREY, other=np.zeros(3))
    assert np.array_equal(whole(dataset)[..., 0], GREY)


def test_images_are_scaled_and_made_grey_or_colour(tmp_path):
    assert load(tmp_path, COLOUR, options={"image_size": 32}).image_shape == (32, 32, 3)
    assert load(tmp_path, COLOUR, options={"channels": 1}).image_shape == (64, 64, 1)
    dataset = load(tmp_path, np.full((3, 28, 40), 90, np.uint8), options={"channels": 3})
    assert dataset.image_shape == (64, 64, 3)
    assert (whole(dataset) == 90).all()


def test_factors_and_their_names_are_read(tmp_path):
    factors = np.array([[0, 3], [1, 0], [0, 1], [1, 2], [0, 0], [1, 1]])
    dataset = load(tmp_path, GREY, factors=factors, factor_names=np.array(["shape", "x"]))
    assert dataset.factor_space.names == ("shape", "x")
    assert dataset.factor_space.sizes == (2, 4)
    assert dataset.factor_values(np.array([3, 0])).tolist() == [[1, 2], [0, 3]]


def test_factors_without_names_are_numbered(tmp_path):
    dataset = load(tmp_path, GREY, latents_classes=np.zeros((6, 3), np.uint8))
    assert dataset.factor_space.names == ("factor_0", "factor_1", "factor_2")
    assert dataset.factor_space.sizes == (1, 1, 1)


def test_images_without_factors_have_none(tmp_path):
    dataset = load(tmp_path, GREY)
    assert dataset.factor_space is None
    assert dataset.factor_values is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), "nan"), (float("inf"), "inf"), (-0.5, "-0.5"), (3.25, "3.25")],
)
def test_a_float_outside_the_unit_interval_is_named(tmp_path, left_in, value, shown):
    images = np.zeros((400, 8, 8))
    images[300, 2, 3] = value
    with pytest.raises(ValueError, match=rf"in \[0, 1\]; got {shown} in image 300\. Divide"):
        load(tmp_path, images)
    assert left_in(tmp_path / "cache") == []


def test_other_number_types_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be uint8 .* got int64"):
        load(tmp_path, GREY.astype(np.int64))


@pytest.mark.parametrize("shape", [(6, 3, 64, 64), (6, 64), (6, 64, 64, 2), (0, 64, 64)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=rf"must have shape \(N, .* got \({shape[0]}, {shape[1]}"):
        load(tmp_path, np.zeros(shape, np.uint8))


def test_a_file_where_the_images_can_not_be_told_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got a \(6, 64, 64\), b \(6, 64, 64\)"):
        load(tmp_path, a=GREY, b=GREY)
    with pytest.raises(ValueError, match="got none"):
        load(tmp_path, a=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.zeros((5, 2), int), r"integers of shape \(6, num_factors\); got int64 of \(5, 2\)"),
        (np.zeros(6, int), r"got int64 of \(6,\)"),
        (np.zeros((6, 2)), "got float64"),
        (np.full((6, 2), -1), "must be at least 0; got -1"),
    ],
)
def test_factors_that_do_not_fit_are_refused(tmp_path, factors, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, GREY, factors=factors)


def test_names_that_do_not_fit_the_factors_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`names` and `sizes` must have the same length"):
        load(tmp_path, GREY, factors=np.zeros((6, 2), int), factor_names=np.array(["a"]))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    load(tmp_path, GREY, suffix=suffix)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"must be a whole \.npy or \.npz file of plain arrays"):
        load_data("arrays", DataOptions(path=path), tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"PNG or whatever")
    with pytest.raises(ValueError, match=r"must be a whole \.npy or \.npz file of plain arrays"):
        load_data("arrays", DataOptions(path=tmp_path / "x.npy"), tmp_path)


def test_fortran_order_is_refused(tmp_path):
    with pytest.raises(ValueError, match="images is in Fortran order; save a C-ordered copy"):
        load(tmp_path, np.asfortranarray(GREY))


def test_paths_that_are_no_array_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be an \.npy or \.npz file; got None"):
        load_data("arrays", root=tmp_path)
    with pytest.raises(ValueError, match=r"or a folder of images; got .*x\.h5"):
        load_data("arrays", DataOptions(path=tmp_path / "x.h5"), tmp_path)
    with pytest.raises(MissingDataError, match=r"found none at .*x\.npy"):
        load_data("arrays", DataOptions(path=tmp_path / "x.npy"), tmp_path)
