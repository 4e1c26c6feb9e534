import re

import h5py
import numpy as np
import pytest

from autobeta.data import DataOptions, as_dataset, load_data
from autobeta.data._files import reading
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
    assert np.array_equal(whole(load(tmp_path, imgs=GREY))[..., 0], GREY)


@pytest.mark.filterwarnings("ignore:x.npz. not read")
def test_what_is_not_read_is_said_whenever_the_file_is_opened(tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"x.npz: not read: labels \(6, 2\); name factors"):
            dataset = load(tmp_path, GREY, labels=np.zeros((6, 2), int))
        assert dataset.factor_space is None
    assert load(tmp_path, GREY, factors=np.zeros((6, 2), int)).factor_space is not None


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
    with pytest.raises(
        ValueError, match=rf"in \[0, 1\]; got {shown} in image 300\. (Bring|Replace)"
    ):
        load(tmp_path, images)
    assert left_in(tmp_path / "cache") == []


ADVICE = {
    "uint16": GREY.astype(np.uint16) * np.uint16(257),
    "int64 of bytes": GREY.astype(np.int64),
    "int8": (GREY // 2).astype(np.int8) - np.int8(100),
    "int32": GREY.astype(np.int32) * 70_000,
    "floats": GREY / 2.0 - 30,
    "large floats": GREY / np.float32(2) + 1,
    "nan": np.where(GREY == 7, np.nan, GREY / 255),
    "inf": np.where(GREY == 7, np.inf, GREY / 255),
    "alpha": COLOUR[..., [0, 1, 2, 2]],
    "two channels": COLOUR[..., :2],
    "channels first": np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2)),
    "alpha first": np.ascontiguousarray(COLOUR[..., [0, 1, 2, 2]].transpose(0, 3, 1, 2)),
    "one image": COLOUR[0],
}


@pytest.mark.parametrize("case", ADVICE)
def test_the_advice_of_a_refusal_makes_images_that_are_taken(tmp_path, case):
    images = ADVICE[case]
    with pytest.raises(ValueError, match="`images` must") as error:
        load(tmp_path, images)
    code = r"images = .*|\(?images\W*//.*|images[\[.].*|numpy\.\w*\(.*"
    advice = re.search(code, str(error.value))[0].rstrip(".").split(", or")[0]
    names = {"images": images, "numpy": np}
    exec(advice if advice.startswith("images =") else f"images = {advice}", names)
    dataset = load(tmp_path, names["images"], options={"test_fraction": 0.0})
    if case in ("uint16", "int64 of bytes"):
        assert np.array_equal(whole(dataset)[..., 0], GREY)
    if "channels first" in case:
        assert np.array_equal(whole(dataset), COLOUR)


def test_other_number_types_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be uint8 .* got complex128\. Save real numbers"):
        load(tmp_path, GREY.astype(complex))


@pytest.mark.parametrize("shape", [(6, 3, 64, 64), (6, 64), (6, 64, 64, 2), (0, 64, 64)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=rf"must have shape \(N, .* got \({shape[0]}, {shape[1]}"):
        load(tmp_path, np.zeros(shape, np.uint8))


def test_a_file_where_the_images_can_not_be_told_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got a \(6, 64, 64\), b \(6, 64, 64\)"):
        load(tmp_path, a=GREY, b=GREY)
    with pytest.raises(ValueError, match=r"got a \(1,\)"):
        load(tmp_path, a=np.array([{}], dtype=object))


def test_arrays_of_objects_are_refused_by_name_or_named_where_nothing_needs_them(tmp_path):
    """A pickle holds them, which is never loaded; pandas' `.values` of mixed columns are such."""
    mixed = np.array([["a", 1], ["b", 2]] * 3, dtype=object)
    for name, given in {"factors": mixed, "factor_names": np.array(["a"], object)}.items():
        arrays = {"images": GREY, "factors": np.zeros((6, 1), int), name: given}
        with pytest.raises(ValueError, match=f"`{name}` must be numbers or texts; got dtype obj"):
            load(tmp_path, **arrays)
    with pytest.raises(ValueError, match=r"`images` must be uint8.*; got object"):
        load(tmp_path, images=GREY.astype(object))
    with pytest.warns(UserWarning, match=r"not read: meta \(\)"):
        load(tmp_path, images=GREY, meta=np.array({"by": "me"}, dtype=object))


def test_factors_in_fortran_order_and_one_name_that_is_no_list_are_read(tmp_path):
    columns = [[0, 1, 0, 1, 0, 1], [2, 0, 1, 2, 0, 1]]
    dataset = load(tmp_path, images=GREY, factors=np.array(columns).T)
    assert dataset.factor_values(np.arange(6)).T.tolist() == columns
    one = load(tmp_path, images=GREY, factors=columns[0], factor_names="hue")
    assert one.factor_space.names == ("hue",)


@pytest.mark.parametrize(("most", "way_out"), [(255, "astype(numpy.uint8)"), (256, "// 257")])
def test_the_way_out_of_wide_integers_is_that_of_their_values(tmp_path, most, way_out):
    images = GREY.astype(np.uint16)
    images[0, 0, 0] = most
    with pytest.raises(ValueError, match=re.escape(way_out)) as caught:
        load(tmp_path, images)
    assert ("257" in str(caught.value)) == (most > 255)


@pytest.mark.parametrize(
    ("factors", "sizes", "last"),
    [
        (np.array([0, 3, 1, 2, 0, 1]), (4,), [1]),
        (np.array([True, False] * 3), (2,), [0]),
        (np.array([0.0, 2.0, 1.0] * 2), (3,), [1]),
        (np.array([[2**60, -1], [2**60 + 1, 1]] * 3), (2, 2), [1, 1]),
        (np.array(["cat", "dog", "ant"] * 2), (3,), [0]),
        (np.array([2**63, 2**63 + 1, 7] * 2, np.uint64), (3,), [0]),
    ],
    ids=["(N,)", "booleans", "whole floats", "huge or negative", "texts", "uint64"],
)
def test_factors_of_all_kinds_are_numbered_exactly(tmp_path, factors, sizes, last):
    dataset = load(tmp_path, GREY, factors=factors)
    assert dataset.factor_space.sizes == sizes
    assert dataset.factor_values(np.array([5])).tolist() == [last]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.zeros((5, 2), int), r"shape \(6, num_factors\) or \(6,\); got \(5, 2\)"),
        (np.zeros((6, 2, 2), int), r"got \(6, 2, 2\)"),
        (np.full((6, 2), 0.5), r"got 0\.5 in row 0\. .* numpy\.digitize"),
        (np.full(6, np.nan), "must have a value in every row; got nan in row 0"),
    ],
)
def test_factors_that_do_not_fit_are_refused(tmp_path, factors, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, GREY, factors=factors)


def test_continuous_factors_become_bins_as_the_message_says(tmp_path):
    binned = np.digitize(np.array([0.1, 0.2, 0.8, 0.9, 0.4, 0.5]), [0.3, 0.6])
    assert load(tmp_path, GREY, factors=binned).factor_space.sizes == (3,)


@pytest.mark.parametrize("names", [["a"], ["a", "a"]])
def test_names_that_do_not_fit_the_factors_are_refused(tmp_path, names):
    with pytest.raises(ValueError, match="`factor_names` must"):
        load(tmp_path, GREY, factors=np.zeros((6, 2), int), factor_names=np.array(names))


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


def test_fortran_order_is_refused_where_it_is_too_large_to_be_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("autobeta.data._files.stored._AT_ONCE", GREY.size - 1)
    with pytest.raises(ValueError, match="images in Fortran order; save a C-ordered copy"):
        load(tmp_path, np.asfortranarray(GREY))


@pytest.mark.parametrize("shape", ["(1000000000000000, 64, 64)", "(-6, 64, 64)", "(6, 64, 63)"])
def test_a_header_that_lies_is_refused_before_anything_is_made(tmp_path, left_in, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    (tmp_path / "x.npy").write_bytes(data + GREY.tobytes())
    with pytest.raises(ValueError, match=r"x\.npy` must be .*; got .* bytes for the array"):
        load_data(tmp_path / "x.npy", root=tmp_path / "cache")
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(reading, "LARGE", 1 << 20)
    images = np.zeros((300, 64, 64), np.uint8)
    if suffix == "npz":
        np.savez_compressed(tmp_path / "x.npz", images=images)
    else:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("images", data=images, compression="gzip", chunks=images.shape)
    with pytest.raises(
        ValueError, match=r"bytes that unpack to 1,228,\d+.* save them uncompressed"
    ):
        load_data(tmp_path / f"x.{suffix}", root=tmp_path)
    if suffix == "npz":
        np.savez(tmp_path / "x.npz", images=images)
    else:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["images"] = images
    assert len(load_data(tmp_path / f"x.{suffix}", root=tmp_path)) == 300


def test_one_image_that_would_fill_the_memory_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("images", (1, 30_000, 30_000), np.uint8)
    with pytest.raises(ValueError, match=r"must have at most 268,435,456 bytes each; got \(30000"):
        load_data(tmp_path / "x.h5", root=tmp_path)


def test_paths_that_are_no_array_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be an \.npy or \.npz file; got None"):
        load_data("arrays", root=tmp_path)
    with pytest.raises(MissingDataError, match=r"found none at .*x\.npy"):
        load_data("arrays", DataOptions(path=tmp_path / "x.npy"), tmp_path)


def test_the_same_file_by_another_path_is_converted_once(tmp_path, left_in, monkeypatch):
    load(tmp_path, GREY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.npz").symlink_to(tmp_path / "x.npz")
    for path in ("x.npz", "./x.npz", "link.npz"):
        load_data(path, root=tmp_path / "cache")
    assert len(left_in(tmp_path / "cache")) == 2


def test_the_fingerprint_is_that_of_the_contents(tmp_path):
    first = load(tmp_path, GREY, factors=np.arange(6)).fingerprint
    changed = GREY.copy()
    changed[3, 5, 5] ^= 1
    assert load(tmp_path, changed, factors=np.arange(6)).fingerprint != first
    assert load(tmp_path, GREY, factors=np.arange(6)[::-1]).fingerprint != first
    assert load(tmp_path, GREY).fingerprint != first
    (tmp_path / "elsewhere").mkdir()
    other = load(tmp_path / "elsewhere", GREY, factors=np.arange(6))
    assert other.fingerprint == first
    assert as_dataset(GREY).fingerprint == load(tmp_path, GREY).fingerprint
