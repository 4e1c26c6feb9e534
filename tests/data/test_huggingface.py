import io
import sys

import numpy as np
import pytest
from PIL import Image

from autobeta.data import DataOptions, load_data
from autobeta.errors import MissingDataError

datasets = pytest.importorskip("datasets")

ROWS = 10
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "shape": datasets.ClassLabel(names=["square", "heart"]),
        "size": datasets.Value("int64"),
        "weight": datasets.Value("float32"),
        "caption": datasets.Value("string"),
    }
)


def picture(value, mode="RGB"):
    stream = io.BytesIO()
    colour = (value,) * 3 if mode == "RGB" else value
    Image.new(mode, (40, 48), colour).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def make(values, mode="RGB", features=FEATURES):
    columns = {
        "image": [picture(20 * v, mode) for v in values],
        "shape": [v % 2 for v in values],
        "size": [v % 3 for v in values],
        "weight": [0.5] * len(values),
        "caption": ["text"] * len(values),
    }
    kept = {name: columns[name] for name in features}
    return datasets.Dataset.from_dict(kept, features=features)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Conversions to Arrow must not land in the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


def grey(dataset, index):
    return dataset.images(np.asarray(index)).mean(axis=(1, 2, 3)).astype(int).tolist()


def test_a_saved_set_is_found_by_its_folder(tmp_path):
    make(range(ROWS)).save_to_disk(tmp_path / "mine")
    dataset = load_data(str(tmp_path / "mine"), DataOptions(image_size=32), tmp_path / "cache")
    assert dataset.name == "huggingface"
    assert dataset.image_shape == (32, 32, 3)
    assert grey(dataset, range(ROWS)) == [20 * v for v in range(ROWS)]
    assert dataset.factor_space.names == ("shape", "size")
    assert dataset.factor_space.sizes == (2, 3)
    assert dataset.factor_values(np.array([0, 4, 5])).tolist() == [[0, 0], [0, 1], [1, 2]]
    assert len(dataset.splits["test"]) == 1  # held out at random


def test_parts_that_are_there_are_kept(tmp_path):
    parts = datasets.DatasetDict({"train": make(range(6)), "test": make(range(6, 10))})
    parts.save_to_disk(tmp_path / "mine")
    dataset = load_data(str(tmp_path / "mine"), DataOptions(image_size=32), tmp_path / "cache")
    assert dataset.splits["train"].tolist() == list(range(6))
    assert dataset.splits["test"].tolist() == list(range(6, 10))
    assert grey(dataset, [6]) == [120]


def test_parquet_files_are_read_without_a_loading_script(tmp_path):
    folder = tmp_path / "mine" / "data"
    folder.mkdir(parents=True)
    make(range(6)).to_parquet(folder / "train-00000-of-00001.parquet")
    make(range(6, 10)).to_parquet(folder / "test-00000-of-00001.parquet")
    options = DataOptions(path=tmp_path / "mine", image_size=32)
    dataset = load_data("huggingface", options, tmp_path / "cache")
    assert grey(dataset, [0, 5, 6, 9]) == [0, 100, 120, 180]
    assert dataset.splits["test"].tolist() == list(range(6, 10))


def test_grey_images_stay_grey_and_sets_without_factors_have_none(tmp_path):
    features = datasets.Features({"image": datasets.Image()})
    make(range(4), "L", features).save_to_disk(tmp_path / "mine")
    dataset = load_data(str(tmp_path / "mine"), DataOptions(image_size=32), tmp_path / "cache")
    assert dataset.image_shape == (32, 32, 1)
    assert dataset.factor_space is None


def test_a_set_without_images_is_refused(tmp_path):
    features = datasets.Features({"size": datasets.Value("int64")})
    make(range(4), features=features).save_to_disk(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"must have one column of images.*got none among"):
        load_data(str(tmp_path / "mine"), root=tmp_path / "cache")


def test_a_set_without_a_training_part_is_refused(tmp_path):
    datasets.DatasetDict({"validation": make(range(4))}).save_to_disk(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"must have a part 'train'; got \['validation'\]"):
        load_data(str(tmp_path / "mine"), root=tmp_path / "cache")


def test_a_damaged_or_empty_folder_is_refused(tmp_path):
    make(range(4)).save_to_disk(tmp_path / "mine")
    for file in (tmp_path / "mine").glob("*.arrow"):
        file.write_bytes(b"no arrow")
    with pytest.raises(ValueError, match="must be a whole saved data set; got"):
        load_data(str(tmp_path / "mine"), root=tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        MissingDataError, match=r"folder with .arrow or .parquet files; found none"
    ):
        load_data("huggingface", DataOptions(path=tmp_path / "empty"), tmp_path)
    with pytest.raises(ValueError, match="must be the folder of a saved data set; got None"):
        load_data("huggingface", root=tmp_path)


def test_without_the_library_the_way_out_is_told(tmp_path, monkeypatch):
    make(range(4)).save_to_disk(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r'pip install "autobeta\[huggingface\]"'):
        load_data(str(tmp_path / "mine"), root=tmp_path / "cache")
