import re
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

from autobeta import registry
from autobeta.data import Batches, DataOptions, load_data, prepare_data
from autobeta.errors import MissingDataError

NAMES = registry.available("data")


def test_a_name_opens_its_data_set(tmp_path):
    assert load_data("toy", root=tmp_path).name == "toy"


def test_the_root_is_the_cache_folder_if_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path / "data"))
    np.save(tmp_path / "x.npy", np.zeros((20, 64, 64), np.uint8))
    load_data(str(tmp_path / "x.npy"))
    assert (tmp_path / "data" / "arrays").is_dir()


def test_a_path_opens_a_folder_or_a_file(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(2):
        Image.new("L", (32, 32), i).save(photos / f"{i}.png")
    np.savez(tmp_path / "x.npz", images=np.zeros((20, 64, 64), np.uint8))
    options = DataOptions(image_size=32)
    assert load_data(str(photos), options, tmp_path).name == "folder"
    assert load_data(str(tmp_path / "x.npz"), options, tmp_path).name == "arrays"


def test_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_data("toy", root=tmp_path).name == "toy"


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"has no 'toys'; it has arrays, .*mean 'toy'\?"):
        load_data("toys")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"must be a folder of images or a file of arrays \(\.h5, .*\.npz\); got"
    ):
        load_data(str(tmp_path / "x.mat"))


@pytest.mark.parametrize("text", ["photos/summer", "./photos", "~/photos", "x.npz", "/no/such"])
def test_what_looks_like_a_path_is_missed_as_a_path(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingDataError, match=r"no folder or file at `/.*`\. If it was moved"):
        load_data(text)


def test_a_place_that_is_not_there_is_named_by_every_loader(tmp_path):
    for name in ("folder", "arrays", "hdf5", "huggingface", "shapes3d", "celeba", "dsprites"):
        with pytest.raises(
            MissingDataError, match=r"found (none at|no file or folder at) `.*gone`"
        ):
            load_data(name, DataOptions(path=tmp_path / "gone"), tmp_path)


def test_options_that_a_data_set_has_not_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`variant` must be left out for toy; got 'real'"):
        load_data("toy", DataOptions(variant="real"), tmp_path)


def test_a_module_of_another_package_is_a_data_set(tmp_path, monkeypatch):
    code = "import numpy as np\nfrom autobeta.data import Conversion, FactorSpace\n"
    code += "FILES = {'x.bin': ('', 0)}\nSPACE = FactorSpace(('a',), (4,))\n"
    code += "def convert(paths, options):\n"
    code += "    pixels = np.frombuffer(paths[0].read_bytes(), np.uint8).reshape(-1, 8, 8, 1)\n"
    code += (
        "    return Conversion(num_images=4, images=[pixels], channels=1, source='x', space=SPACE)"
    )
    (tmp_path / "theirs.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("theirs", "theirs", "autobeta.data")
    monkeypatch.setattr(registry, "_outside", lambda folder: {"theirs": entry})
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    options = DataOptions(path=tmp_path, image_size=8)
    dataset = load_data("theirs", options, tmp_path / "cache")
    assert dataset.images(np.array([3])).ravel().tolist() == list(range(192, 256))
    assert dataset.factor_values(np.array([3])).tolist() == [[3]]


def test_a_flipped_bit_in_prepared_images_is_found_when_the_image_is_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    options = DataOptions(path=tmp_path / "x.npy", image_size=8)
    file = prepare_data("arrays", options, tmp_path)
    data = bytearray(file.read_bytes())
    data[-64 * 3 - 5] ^= 4  # in image 16
    file.write_bytes(data)
    dataset = load_data("arrays", options, tmp_path)
    assert np.array_equal(dataset.images(np.arange(16))[..., 0], images[:16])
    message = rf"`{re.escape(str(file))}` must read back as it was written; image 16 does not"
    with pytest.raises(ValueError, match=message):
        dataset.images(np.array([2, 16]))
    with pytest.raises(ValueError, match="image 16 does not"):
        Batches(dataset, 4, 0, resident=True)
    file.unlink()  # as the message says
    assert np.array_equal(
        load_data("arrays", options, tmp_path).images(np.arange(20))[..., 0], images
    )


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    "damage",
    [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: d[20:]],
    ids=["cut", "empty", "shifted"],
)
def test_a_damaged_cache_file_is_named_with_the_way_out(tmp_path, suffix, damage):
    np.save(tmp_path / "x.npy", np.zeros((20, 8, 8), np.uint8))
    options = DataOptions(path=tmp_path / "x.npy", image_size=8)
    file = prepare_data("arrays", options, tmp_path).with_suffix(suffix)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"`.*{suffix}` must be a .*Delete it to have the data"):
        load_data("arrays", options, tmp_path)
    file.unlink()
    assert len(load_data("arrays", options, tmp_path)) == 20


def test_a_data_set_prints_in_one_line(tmp_path):
    shown = (
        "<toy: 2304 images of 64 x 64 x 1 (2304 train); posX 12, posY 12, size 4, brightness 4>"
    )
    assert repr(load_data("toy")) == str(load_data("toy")) == shown


def test_preparing_gives_the_cache_file_or_none(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((20, 64, 64), np.uint8))
    seen = []
    path = prepare_data(
        str(tmp_path / "x.npy"), root=tmp_path, on_progress=lambda *done: seen.append(done)
    )
    assert path.is_file()
    assert seen == [(20, 20)]
    assert prepare_data("toy", root=tmp_path) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_says_where_it_comes_from_without_being_imported(name):
    facts = registry.describe("data", name)
    assert facts["SOURCE"]
    assert facts["LICENSE"]
    assert all(isinstance(size, int) for size in facts.get("FACTORS", {}).values())
    assert facts["doc"].splitlines()[0].endswith(".")
