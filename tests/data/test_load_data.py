import numpy as np
import pytest
from PIL import Image

from autobeta import registry
from autobeta.data import DataOptions, load_data, prepare_data

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
    with pytest.raises(ValueError, match=r"must be an \.npy or \.npz file, or a folder"):
        load_data(str(tmp_path / "x.mat"))


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
    assert "CITATION" in facts
    assert all(isinstance(size, int) for size in facts["FACTORS"].values())
    assert facts["doc"].splitlines()[0].endswith(".")
