"""Odd and hostile files and options: an error of ours or a data set, never anything else."""

import contextlib
import io
import math
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autobeta.data import DataOptions, as_dataset, load_data, registry

OURS = (ValueError, FileNotFoundError, TypeError)
SMALL = DataOptions(image_size=8)
FEW = settings(max_examples=40)

pytestmark = pytest.mark.filterwarnings("ignore:.*(left out|no factors|not read|skipped|none of)")


def opened(path, root, options=SMALL):
    """Open what is there and look at every image of it, or be refused in our words."""
    try:
        dataset = load_data(path, options, root)
        images = dataset.images(np.arange(len(dataset)))
    except OURS as refused:
        str(refused).encode()  # it can be printed
        return None
    assert images.dtype == np.uint8
    assert images.shape[1:] == dataset.image_shape
    assert dataset.fingerprint
    return dataset


# --- folders

MODES = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "I;16",
    "I",
    "F",
    "CMYK",
    "YCbCr",
    "LAB",
)
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA", "ICO")
names = st.text(st.characters(exclude_characters="/\x00", codec="utf-8"), min_size=1, max_size=12)


def encoded(mode, kind, width, height):
    """Bytes of an image file; of no image, where a format has not the mode."""
    stream = io.BytesIO()
    try:
        image = Image.new(mode, (width, height))
        image.save(
            stream, kind, **({"save_all": True, "append_images": [image]} if kind == "GIF" else {})
        )
    except (OSError, ValueError, KeyError, SystemError):
        return b""
    return stream.getvalue()


@st.composite
def files(draw):
    """Name and bytes of a file in a folder of images."""
    data = encoded(
        draw(st.sampled_from(MODES)),
        draw(st.sampled_from(FORMATS)),
        draw(st.integers(1, 40)),
        draw(st.integers(1, 40)),
    )
    if data and draw(st.integers(0, 3)) == 0:
        data = damaged(draw, data)
    suffix = draw(st.sampled_from([".png", ".jpg", ".tif", ".gif", ".csv", ".txt", "", ".PNG"]))
    return draw(names)[:12] + suffix, data


def damaged(draw, data):
    """Cut, or with some bytes changed."""
    data = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@FEW
@given(st.lists(files(), min_size=1, max_size=5), st.booleans())
def test_folders_of_odd_files(found, skip_broken):
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for name, data in found:
            try:
                (photos / name).write_bytes(data)
            except OSError:  # a name that the file system has not
                continue
        dataset = opened(photos, Path(folder), DataOptions(image_size=8, skip_broken=skip_broken))
        if dataset is not None:
            assert len(dataset.names) == len(dataset)


# --- files of arrays

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def file_of(suffix, path):
    if suffix == ".npy":
        np.save(path, PIXELS)
    elif suffix == ".npz":
        np.savez_compressed(path, images=PIXELS, factors=np.arange(5), factor_names=["a"])
    else:
        with h5py.File(path, "w") as file:
            file["images"] = PIXELS
            file["factors"] = np.arange(5)
    return path.read_bytes()


@FEW
@given(st.sampled_from([".npy", ".npz"]), st.data())
def test_damaged_files_of_arrays(suffix, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        whole = file_of(suffix, path)
        path.write_bytes(damaged(data.draw, whole))
        dataset = opened(path, Path(folder))
        if dataset is not None and suffix == ".npz":  # it has checksums of its own
            assert np.array_equal(dataset.images(np.arange(5)), PIXELS)


@settings(max_examples=20)
@given(st.integers(0, 6000))
def test_cut_hdf5_files(length):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5"
        path.write_bytes(file_of(".h5", path)[:length])
        dataset = opened(path, Path(folder))
        assert dataset is None or np.array_equal(dataset.images(np.arange(5)), PIXELS)


dtypes = st.sampled_from(
    ["u1", "?", "u2", ">i4", "i8", "f2", ">f4", "f8", "c8", "U3", "S2", "M8[s]", "V4"]
)
shapes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 9]), max_size=5).map(tuple)


@settings(max_examples=80)
@given(dtypes, shapes, st.integers(0, 3), st.booleans())
def test_arrays_of_any_type_and_shape(dtype, shape, fill, in_memory):
    array = np.zeros(shape, dtype)
    if array.dtype.kind in "uif" and array.size:
        array.flat[0] = fill
    if in_memory:
        with contextlib.suppress(*OURS):
            assert as_dataset(array, SMALL).images(np.array([0])).shape[1:3] == (8, 8)
        return
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "x.npz", images=array, factors=array[..., :1] if shape else array)
        opened(Path(folder) / "x.npz", Path(folder))


values = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.text(max_size=3), st.none()
)


@settings(max_examples=25)
@given(st.lists(values, min_size=6, max_size=6))
def test_tables_of_any_values(column):
    with tempfile.TemporaryDirectory() as folder:
        for i in range(6):
            Image.new("L", (8, 8), i).save(Path(folder) / f"{i}.png")
        text = "\n".join(["file,x", *(f"{i}.png,{value}" for i, value in enumerate(column))])
        (Path(folder) / "labels.csv").write_text(text, "utf-8", errors="surrogatepass")
        dataset = opened(Path(folder), Path(folder) / ".cache")
        if dataset is not None and dataset.factor_values is not None:
            assert dataset.factor_values(np.arange(6)).min() >= 0


# --- options

WHOLE = [0, -1, 1, 3, 300, 2**31, 2**63, 2**70]
WILD = [("image_size", value) for value in WHOLE] + [("channels", value) for value in WHOLE]
WILD += [("split_seed", value) for value in WHOLE] + [("variant", ""), ("variant", "x")]
WILD += [
    ("test_fraction", v) for v in (0.0, -0.1, 0.999, 1.0, 1e300, math.nan, math.inf, -math.inf)
]


@pytest.mark.parametrize(("field", "value"), WILD)
def test_wild_options_are_refused_or_honoured(tmp_path, field, value):
    np.save(tmp_path / "x.npy", PIXELS)
    options = {"path": tmp_path / "x.npy", "image_size": 8, field: value}
    try:
        dataset = load_data("arrays", DataOptions(**options), tmp_path)
    except ValueError as refused:
        said = str(refused)
    else:
        assert len(dataset) == 5
        return
    assert f"`{field}` must" in said


@pytest.mark.parametrize("name", registry.available("data"))
def test_every_data_set_refuses_what_it_can_not_do_before_it_does_anything(
    tmp_path, left_in, name
):
    for options in (DataOptions(channels=2), DataOptions(variant="none such")):
        with pytest.raises(ValueError, match=r"`(channels|variant)` must be"):
            load_data(name, options, tmp_path)
    assert left_in(tmp_path) == []
