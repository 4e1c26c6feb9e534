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


QUIET = pytest.mark.filterwarnings("ignore:the data set .*. no factors")


def grey(dataset, index):
    return dataset.images(np.asarray(index)).mean(axis=(1, 2, 3)).astype(int).tolist()


@QUIET
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


@QUIET
def test_splits_that_are_there_are_kept(tmp_path):
    parts = datasets.DatasetDict({"train": make(range(6)), "test": make(range(6, 10))})
    parts.save_to_disk(tmp_path / "mine")
    dataset = load_data(str(tmp_path / "mine"), DataOptions(image_size=32), tmp_path / "cache")
    assert dataset.splits["train"].tolist() == list(range(6))
    assert dataset.splits["test"].tolist() == list(range(6, 10))
    assert grey(dataset, [6]) == [120]


@QUIET
def test_parquet_files_are_read_without_a_loading_script(tmp_path):
    folder = tmp_path / "mine" / "data"
    folder.mkdir(parents=True)
    make(range(6)).to_parquet(folder / "train-00000-of-00001.parquet")
    make(range(6, 10)).to_parquet(folder / "test-00000-of-00001.parquet")
    options = DataOptions(path=tmp_path / "mine", image_size=32)
    dataset = load_data("huggingface", options, tmp_path / "cache")
    assert grey(dataset, [0, 5, 6, 9]) == [0, 100, 120, 180]
    assert dataset.splits["test"].tolist() == list(range(6, 10))


@QUIET
def test_a_folder_of_parquet_files_or_one_of_them_needs_no_name_of_a_loader(tmp_path):
    (tmp_path / "pq").mkdir()
    make(range(6)).to_parquet(tmp_path / "pq" / "x.parquet")
    Image.new("L", (8, 8)).save(tmp_path / "pq" / "preview.png")  # as repositories have
    for path in (tmp_path / "pq", tmp_path / "pq" / "x.parquet"):
        dataset = load_data(path, DataOptions(image_size=32), tmp_path / "cache")
        assert dataset.name == "huggingface"
        assert len(dataset) == 6
        assert len(dataset.splits["test"]) == 1


@QUIET
def test_parquet_files_are_in_the_split_whose_word_is_in_their_name(tmp_path):
    files = {"train-0": range(3), "train-latest": range(3, 5), "test-0": range(5, 7)}
    files |= {"contest": range(7, 8), "valid-0": range(8, 10)}
    (tmp_path / "mine").mkdir()
    for name, rows in files.items():
        make(rows).to_parquet(tmp_path / "mine" / f"{name}.parquet")
    with pytest.warns(UserWarning, match=r"left out files of no split \(1 rows\)"):
        dataset = load_data(tmp_path / "mine", DataOptions(image_size=32), tmp_path / "cache")
    values = {split: grey(dataset, index) for split, index in dataset.splits.items()}
    assert values == {
        "train": [20 * v for v in range(5)],
        "test": [100, 120],
        "validation": [160, 180],
    }


@QUIET
def test_a_validation_split_is_held_out_and_no_other_is_drawn(tmp_path):
    parts = {"train": make(range(6)), "val": make(range(6, 10)), "extra": make(range(2))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "mine")
    with pytest.warns(UserWarning, match=r"left out extra \(2 rows\), no known split"):
        dataset = load_data(tmp_path / "mine", DataOptions(image_size=32), tmp_path / "cache")
    assert {split: len(index) for split, index in dataset.splits.items()} == {
        "train": 6,
        "validation": 4,
    }


def save_columns(path, **columns):
    rows = len(next(iter(columns.values())))
    table = {"image": [picture(20 * i) for i in range(rows)], **columns}
    made = datasets.Dataset.from_dict(table).cast_column("image", datasets.Image())
    made.save_to_disk(path)


def test_factors_are_booleans_whole_numbers_and_texts_but_no_identifiers(tmp_path):
    save_columns(
        tmp_path / "mine",
        smiling=[i % 2 == 0 for i in range(12)],
        pose=[float(i % 3) for i in range(12)],
        kind=["ba"[i % 2] for i in range(12)],
        image_id=[1000 + i for i in range(12)],
        width=[64] * 12,
        score=[i / 7 for i in range(12)],
    )
    with pytest.warns(UserWarning, match="no factors") as said:
        dataset = load_data(tmp_path / "mine", DataOptions(image_size=32), tmp_path / "cache")
    assert dataset.factor_space.names == ("smiling", "pose", "kind")
    assert dataset.factor_values(np.array([0, 5])).tolist() == [[1, 0, 1], [0, 2, 0]]
    assert [str(note.message).split("no factors: ")[1] for note in said] == [
        "image_id (too many values, as an identifier has).",
        "width (one value).",
        "score (fractions).",
    ]


def test_a_label_that_is_missing_is_named_by_column_and_row(tmp_path):
    save_columns(tmp_path / "mine", label=[0, 1, None, 1, 0, 1])
    with pytest.raises(
        ValueError, match="`label` must have a value in every row; got None in row 2"
    ):
        load_data(tmp_path / "mine", root=tmp_path / "cache")


def test_broken_and_missing_images_are_named_by_row_and_can_be_skipped(tmp_path):
    pictures = [picture(20 * i) for i in range(6)]
    pictures[2] = {"bytes": b"no image", "path": None}
    pictures[4] = None
    features = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict({"image": pictures}, features=features).save_to_disk(tmp_path / "m")
    with pytest.raises(ValueError, match=r"image in row 2 of train(.|\n)*image in row 4 of train"):
        load_data(tmp_path / "m", root=tmp_path / "cache")
    with pytest.warns(UserWarning, match="2 broken images skipped"):
        dataset = load_data(tmp_path / "m", DataOptions(skip_broken=True), tmp_path / "cache")
    assert grey(dataset, range(4)) == [0, 20, 60, 100]


def test_one_colour_image_makes_all_of_them_rgb_however_late_it_comes(tmp_path):
    pictures = [picture(5, "L")] * 120 + [picture(5)]
    features = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict({"image": pictures}, features=features).save_to_disk(tmp_path / "m")
    options = DataOptions(image_size=32)
    assert load_data(tmp_path / "m", options, tmp_path / "cache").image_shape == (32, 32, 3)


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


def test_a_set_without_a_training_split_is_refused(tmp_path):
    datasets.DatasetDict({"unlabelled": make(range(4))}).save_to_disk(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"must have a split 'train'; got \['unlabelled'\]"):
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
    with pytest.raises(ValueError, match="must be a saved data set or Parquet files; got None"):
        load_data("huggingface", root=tmp_path)


def test_without_the_library_the_way_out_is_told(tmp_path, monkeypatch):
    make(range(4)).save_to_disk(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r'pip install "autobeta\[huggingface\]"'):
        load_data(str(tmp_path / "mine"), root=tmp_path / "cache")
