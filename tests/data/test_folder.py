import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autobeta.data import DataOptions, load_data
from autobeta.data._core.pixels import suffixes
from autobeta.errors import MissingDataError

GREY = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def load(tmp_path, **options):
    options = DataOptions(path=tmp_path / "photos", test_fraction=0.0, **options)
    return load_data("folder", options, tmp_path / "cache")


def whole(dataset):
    return dataset.images(np.arange(len(dataset)))


def test_all_formats_are_found_below_the_folder_in_the_natural_order_of_their_paths(tmp_path):
    photos = tmp_path / "photos"
    names = ["a.png", "b/2.jpeg", "b/10.JPG", "b/x.jfif", "c.webp", "d.bmp", "e.tif", "f.gif"]
    for name in names[::-1]:
        save(photos / name, COLOUR)
    save(photos / ".hidden.png", COLOUR)
    save(photos / ".thumbnails" / "a.png", COLOUR)
    dataset = load(tmp_path)
    assert dataset.names == tuple(names)
    assert dataset.source == "8 images of the folder photos"
    for i in (0, 5, 6):
        assert np.array_equal(whole(dataset)[i], COLOUR)
    assert dataset.factor_space is None
    assert dataset.factor_values is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_format_that_pillow_writes_and_reads_is_taken(tmp_path):
    photos = tmp_path / "photos"
    kinds = Image.registered_extensions()
    both = [s for s, k in kinds.items() if k in Image.SAVE and s in suffixes()]
    assert len(both) > 30
    saved = 0
    for suffix in both:
        try:
            save(photos / f"x{suffix}", GREY)
        except (OSError, ValueError, KeyError):  # a format that takes no grey image
            (photos / f"x{suffix}").unlink(missing_ok=True)
            continue
        saved += 1
    assert saved > 25
    assert len(load(tmp_path)) == saved


def test_what_is_left_out_is_counted_by_kind(tmp_path):
    save(tmp_path / "photos" / "a.png", GREY)
    for name in ("notes.txt", "b.txt", "drawing.svg", "LICENSE"):
        (tmp_path / "photos" / name).write_text("x")
    said = r"left out 1 \.svg, 2 \.txt, 1 without ending, no images"
    with pytest.warns(UserWarning, match=said):
        assert len(load(tmp_path)) == 1


def test_images_of_any_size_become_squares_of_any_size(tmp_path):
    for k, shape in enumerate([(30, 500), (256, 256), (300, 257)]):
        save(tmp_path / "photos" / f"{k}.png", np.full(shape, 90, np.uint8))
    for size in (100, 256):
        assert load(tmp_path, image_size=size).image_shape == (size, size, 1)


def test_a_tall_and_a_wide_image_lose_their_ends(tmp_path):
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 80:220] = 200  # scaling reads a little beyond the cut
    save(tmp_path / "photos" / "a.png", wide)
    save(tmp_path / "photos" / "b.png", wide.transpose(1, 0, 2).copy())
    assert (whole(load(tmp_path, image_size=32)) == 200).all()


@pytest.mark.parametrize("size", [32, 64, 128])
def test_images_are_brought_to_the_size_with_antialiasing(tmp_path, size):
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::2] = 255  # finer than a pixel of the result
    save(tmp_path / "photos" / "a.png", stripes)
    image = whole(load(tmp_path, image_size=size))
    assert image.shape == (1, size, size, 1)
    assert np.abs(image[0, 2:-2, 2:-2].astype(int) - 127.5).max() <= 2


def test_grey_stays_grey_only_if_every_image_is(tmp_path):
    save(tmp_path / "photos" / "a.png", GREY)
    assert load(tmp_path).image_shape == (64, 64, 1)
    save(tmp_path / "photos" / "b.png", COLOUR)
    dataset = load(tmp_path)
    assert dataset.image_shape == (64, 64, 3)
    assert np.array_equal(whole(dataset)[0], GREY[..., None].repeat(3, axis=2))


def test_channels_overrides_what_the_images_have(tmp_path):
    save(tmp_path / "photos" / "a.png", COLOUR)
    image = whole(load(tmp_path, channels=1))[0, :, :, 0]
    assert np.array_equal(image, np.asarray(Image.fromarray(COLOUR).convert("L")))
    assert load(tmp_path, channels=3).image_shape == (64, 64, 3)


def test_transparent_parts_become_white(tmp_path):
    clear = np.concatenate([COLOUR, np.zeros((64, 64, 1), np.uint8)], axis=2)
    save(tmp_path / "photos" / "a.png", clear)
    assert (whole(load(tmp_path)) == 255).all()


def test_a_camera_held_upright_gives_an_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    save(tmp_path / "photos" / "a.png", GREY, exif=exif)
    assert np.array_equal(whole(load(tmp_path))[0, :, :, 0], GREY[::-1, ::-1])


def test_images_are_converted_once_and_again_when_a_file_changes(tmp_path, left_in):
    save(tmp_path / "photos" / "a.png", GREY)
    load(tmp_path)
    load(tmp_path)
    assert len(left_in(tmp_path / "cache")) == 2
    save(tmp_path / "photos" / "a.png", GREY[:50])
    load(tmp_path)
    assert len(left_in(tmp_path / "cache")) == 4


def test_a_part_is_held_out(tmp_path):
    for i in range(10):
        save(tmp_path / "photos" / f"{i}.png", GREY)
    dataset = load_data(
        "folder", DataOptions(path=tmp_path / "photos", test_fraction=0.3), tmp_path
    )
    assert len(dataset.splits["test"]) == 3
    assert len(dataset.splits["train"]) == 7


def test_an_unreadable_image_is_named(tmp_path, left_in):
    save(tmp_path / "photos" / "a.png", COLOUR)
    (tmp_path / "photos" / "b.png").write_bytes(b"not a png")
    message = r"b\.png` must be a readable image; got .*\nRepair, convert or remove"
    with pytest.raises(ValueError, match=message):
        load(tmp_path)
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp"])
def test_a_truncated_image_is_named(tmp_path, name):
    path = tmp_path / "photos" / name
    save(path, COLOUR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{name}` must be a readable image"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_of_16_bits_is_scaled_to_8_and_rounded(tmp_path, name):
    levels = np.full((64, 64), 65535, np.uint16)
    levels[0, :6] = [0, 128, 129, 256, 257 * 100 + 128, 65406]
    save(tmp_path / "photos" / name, levels)
    dataset = load(tmp_path)
    assert dataset.image_shape == (64, 64, 1)
    row = whole(dataset)[0, 0, :, 0]
    assert row[:7].tolist() == [0, 0, 1, 1, 100, 254, 255]


def test_16_bits_are_turned_upright_and_what_is_transparent_becomes_white(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 3  # upside down
    levels = np.full((64, 64), 257 * 9, np.uint16)
    levels[0, 0], levels[0, 1] = 257 * 50, 257 * 7
    (tmp_path / "photos").mkdir()
    image = Image.fromarray(levels)
    image.save(tmp_path / "photos" / "a.png", exif=exif, transparency=257 * 7)
    found = whole(load(tmp_path))[0, :, :, 0]
    assert found[-1, -3:].tolist() == [9, 255, 50]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_an_image_of_32_bits_is_refused_and_taken_when_the_advice_is_followed(tmp_path, kind):
    path = tmp_path / "photos" / "a.tif"
    save(path, GREY.astype(kind) * 300)
    with pytest.raises(ValueError, match=r"numbers of 32 bits .* how large white is") as error:
        load(tmp_path)
    advice = re.search(r"save (Image\.fromarray\(.*\)\))\.", str(error.value))[1]
    with Image.open(path) as image:
        image.load()
    names = {"Image": Image, "numpy": np, "image": image, "white": 255 * 300}
    eval(advice, names).save(path)
    assert np.array_equal(whole(load(tmp_path))[0, :, :, 0], GREY)


def test_broken_images_are_named_all_at_once_and_skipped_if_that_is_asked_for(tmp_path):
    photos = tmp_path / "photos"
    numbered_images(photos, [f"{i}.png" for i in range(6)])
    (photos / "1.png").write_bytes(b"no image")
    (photos / "4.png").write_bytes((photos / "4.png").read_bytes()[:-40])
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(6))
    (photos / "labels.csv").write_text(f"file,hue\n{rows}")
    with pytest.raises(ValueError, match=r"/1\.png(.|\n)*/4\.png(.|\n)*--skip-broken") as error:
        load(tmp_path)
    for advice in ("Repair, convert or remove", "--skip-broken"):
        assert str(error.value).count(advice) == 1
    with pytest.warns(UserWarning, match=r"2 broken images skipped: 1\.png, 4\.png"):
        dataset = load(tmp_path, skip_broken=True)
    assert dataset.names == ("0.png", "2.png", "3.png", "5.png")
    assert whole(dataset)[:, 0, 0, 0].tolist() == [0, 2, 3, 5]
    assert dataset.factor_values(np.arange(4)).ravel().tolist() == [0, 0, 1, 1]


def test_a_broken_image_without_a_row_is_told_of_as_broken(tmp_path):
    photos = tmp_path / "photos"
    numbered_images(photos, [f"{i}.png" for i in range(4)])
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(3))
    (photos / "labels.csv").write_text(f"file,hue\n{rows}")
    with pytest.raises(ValueError, match=r"row for each image; got none for 3\.png"):
        load(tmp_path)
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"3\.png` must be a readable image"):
        load(tmp_path)


@pytest.mark.parametrize("cut", [60, 4000])
def test_truncated_images_in_several_places_are_named_in_one_error(tmp_path, cut):
    for i in range(4):
        save(tmp_path / "photos" / f"{i}.png", COLOUR)
    for i in (1, 3):
        path = tmp_path / "photos" / f"{i}.png"
        path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"/1\.png` must (.|\n)*/3\.png` must "):
        load(tmp_path)


def test_a_folder_of_broken_images_alone_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.png` must be a readable image"):
        load(tmp_path, skip_broken=True)


# --- labels


def numbered_images(photos, names):
    for i, name in enumerate(names):
        save(photos / name, np.full((64, 64), i, np.uint8))


@pytest.mark.parametrize("table", ["metadata.csv", "labels.csv", "anything.csv"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_gives_the_factors_in_any_order_of_its_rows(tmp_path, table, separator):
    photos = tmp_path / "photos"
    numbered_images(photos, [f"{i}.png" for i in range(12)])
    rows = [["file_name", "kind", "size", "huge", "ratio", "id"]]
    rows += [[f"{i}.png", "ab"[i % 2], i % 3, 2**60 + i % 3, i / 7, i] for i in range(11, -1, -1)]
    text = "\n".join(separator.join(map(str, row)) for row in rows)
    (photos / table).write_text(text, "utf-8-sig")
    with pytest.warns(UserWarning, match="no factors") as said:
        dataset = load(tmp_path)
    notes = [str(note.message) for note in said]
    assert notes == [
        "the folder photos: no factors: ratio (fractions).",
        "the folder photos: no factors: id (too many values, as an identifier has).",
    ]
    assert dataset.factor_space.names == ("kind", "size", "huge")
    expected = [[i % 2, i % 3, i % 3] for i in range(12)]
    assert dataset.factor_values(np.arange(12)).tolist() == expected


def test_a_label_with_an_underscore_is_no_number(tmp_path):
    """Python reads 1_10 and 11_0 as 110."""
    numbered_images(tmp_path / "photos", [f"{i}.png" for i in range(6)])
    cells = ["1_10", "11_0", "1_10", "11_0", "2_0", "2_0"]
    lines = ["file,cell", *(f"{i}.png,{cell}" for i, cell in enumerate(cells))]
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines))
    values = load(tmp_path).factor_values(np.arange(6)).ravel().tolist()
    assert values == [0, 2, 0, 2, 1, 1]


@pytest.mark.parametrize("form", ["path", "name", "stem"])
def test_rows_may_name_files_by_path_name_or_stem(tmp_path, form):
    names = [f"{'xy'[i % 2]}/{i}.png" for i in range(6)]
    numbered_images(tmp_path / "photos", names)
    shown = {"path": lambda n: n, "name": lambda n: n[2:], "stem": lambda n: n[2:-4]}[form]
    lines = ["image,label", *(f"{shown(n)},{i % 3}" for i, n in enumerate(names))]
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines))
    dataset = load(tmp_path)
    order = [int(name[2:-4]) for name in dataset.names]
    assert dataset.factor_values(np.arange(6)).ravel().tolist() == [i % 3 for i in order]


def test_rows_that_name_no_image_are_said(tmp_path):
    numbered_images(tmp_path / "photos", [f"{i}.png" for i in range(6)])
    rows = "".join(f"{name}.png,{i % 2}\n" for i, name in enumerate([*range(6), "ghost", "gone"]))
    (tmp_path / "photos" / "labels.csv").write_text(f"file,hue\n{rows}")
    with pytest.warns(UserWarning, match=r"no image for 2 rows of the table, such as ghost\.png"):
        assert load(tmp_path).num_images == 6


SIX = "".join(f"{i}.png,{i % 3 or ''}\n" for i in range(6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x\n0.png,1\n", r"got none for 1\.png, 2\.png, 3\.png and 2 more"),
        ("file,x\n0.png,1\n0.png,2\n", "some file or column twice"),
        ("file,x\n0.png\n", "rows of different lengths"),
        ("", "rows of different lengths, or none"),
        ("file,x\nother.png,1\n", r"must name the images; got none of 0\.png"),
        (f"file,x\n{SIX}", "`x` must have a value in every row; got None in row 0"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, text, message):
    numbered_images(tmp_path / "photos", [f"{i}.png" for i in range(6)])
    (tmp_path / "photos" / "metadata.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_a_table_about_something_else_is_left_out(tmp_path):
    numbered_images(tmp_path / "photos", ["a.png"])
    (tmp_path / "photos" / "prices.csv").write_text("day,price\n1,2\n")
    with pytest.warns(UserWarning, match=r"left out 1 \.csv"):
        assert load(tmp_path).factor_space is None


def test_folders_are_classes_where_all_images_are_in_several(tmp_path):
    names = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]
    numbered_images(tmp_path / "photos", names)
    dataset = load(tmp_path)
    assert dataset.factor_space.names == ("class",)
    assert dataset.factor_values(np.arange(4)).ravel().tolist() == [0, 0, 1, 1]
    save(tmp_path / "photos" / "cover.png", GREY)
    assert load(tmp_path).factor_space is None


def test_linked_images_and_folders_are_taken_under_their_own_names(tmp_path):
    photos, store = tmp_path / "photos", tmp_path / "store"
    numbered_images(store, [f"{i}.png" for i in range(8)])
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
    for i in range(6):
        (photos / ("cat" if i < 3 else "dog") / f"{i}.png").symlink_to(store / f"{i}.png")
    assert load(tmp_path).factor_values(np.arange(6)).ravel().tolist() == [0, 0, 0, 1, 1, 1]
    (photos / "cat" / "2.png").rename(photos / "dog" / "2.png")
    moved = load(tmp_path)
    assert moved.names[2] == "dog/2.png"
    assert moved.factor_values(np.arange(6)).ravel().tolist() == [0, 0, 1, 1, 1, 1]
    (photos / "elk").symlink_to(store)
    (photos / "dog" / "again").symlink_to(photos)  # a circle is gone through once
    linked = load(tmp_path)
    assert [sum(n.startswith(c) for n in linked.names) for c in ("cat", "dog", "elk")] == [2, 4, 8]


def test_folders_train_and_test_are_splits_with_classes_in_them(tmp_path):
    names = [f"{s}/{c}/{i}.png" for s in ("train", "test") for c in ("a", "b") for i in range(3)]
    numbered_images(tmp_path / "photos", names)
    dataset = load(tmp_path)
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 6, "test": 6}
    assert all(dataset.names[i].startswith("train") for i in dataset.splits["train"])
    assert dataset.factor_space.sizes == (2,)
    save(tmp_path / "photos" / "cover.png", GREY)
    with pytest.warns(UserWarning, match="1 images are in none of the splits"):
        assert len(load(tmp_path).splits["train"]) == 6


def test_a_folder_train_alone_is_no_split(tmp_path):
    numbered_images(tmp_path / "photos", [f"train/{i}.png" for i in range(10)])
    options = DataOptions(path=tmp_path / "photos", test_fraction=0.2)
    splits = load_data("folder", options, tmp_path).splits
    assert {name: len(index) for name, index in splits.items()} == {"train": 8, "test": 2}


def test_a_name_that_is_no_utf_8_is_read_and_shown(tmp_path):
    photos = tmp_path / "photos"
    save(photos / "a.png", GREY)
    latin = os.fsencode(photos) + b"/caf\xe9.png"
    os.rename(photos / "a.png", latin)  # noqa: PTH104 - a name in bytes
    dataset = load(tmp_path)
    assert dataset.names == ("caf\\xe9.png",)
    with open(latin, "wb") as file:  # noqa: PTH123
        file.write(b"broken")
    with pytest.raises(ValueError, match=r"caf\\xe9\.png` must be a readable image") as error:
        load(tmp_path)
    str(error.value).encode()  # can be printed
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/ph\xe9")
    for name in ("b.png", "c.png"):
        save(Path(folder) / name, GREY)
    load_data(folder, root=tmp_path / "cache").source.encode()


def test_the_same_images_elsewhere_have_the_same_fingerprint_and_others_have_not(tmp_path):
    numbered_images(tmp_path / "photos", ["a.png", "b.png"])
    first = load(tmp_path).fingerprint
    (tmp_path / "photos").rename(tmp_path / "moved")
    with pytest.raises(MissingDataError, match=r"no folder or file at `.*photos`\. If it"):
        load_data(tmp_path / "photos", root=tmp_path / "cache")
    options = DataOptions(test_fraction=0.0)
    assert load_data(tmp_path / "moved", options, tmp_path / "cache").fingerprint == first
    save(tmp_path / "moved" / "b.png", np.full((64, 64), 7, np.uint8))  # under the same name
    assert load_data(tmp_path / "moved", options, tmp_path / "cache").fingerprint != first


@pytest.mark.parametrize("limit", [3000, 1000])
def test_an_image_too_large_for_the_memory_is_refused(tmp_path, monkeypatch, limit):
    save(tmp_path / "photos" / "a.png", COLOUR)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # a warning, and an error above twice
    with pytest.raises(ValueError, match=r"a\.png` must be .* limit of \d000 pixels"):
        load(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match=r"must have an image .*; got no file below"):
        load(tmp_path)


def test_a_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match="must be a folder of images; found none at"):
        load(tmp_path)
    with pytest.raises(ValueError, match="must be a folder of images; got None"):
        load_data("folder", root=tmp_path)


@pytest.mark.filterwarnings("ignore:.*left out")
def test_runs_and_studies_in_the_folder_are_none_of_its_images(tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.png", "b.png"):
        save(photos / name, GREY)
    alone = load(tmp_path)
    marks = {"run/config.json": {"format": 4, "method_config": {}}}
    marks |= {"study/study.json": {"format": 1, "runs_folder": "runs"}}
    marks |= {"pilot/suggestion.json": {"target": 9.0, "settings": {}}}
    for name, content in marks.items():
        save(photos / Path(name).parent / "pictures" / "step-5.png", COLOUR)
        (photos / name).write_text(json.dumps(content))
    options = DataOptions(path=photos, test_fraction=0.0)
    with pytest.warns(UserWarning, match="left out pilot, run, study, where autobeta has written"):
        again = load_data("folder", options, tmp_path / "another cache")
    assert load(tmp_path).fingerprint == again.fingerprint
    assert again.names == alone.names
    assert again.fingerprint == alone.fingerprint
    save(photos / "mine" / "c.png", GREY)
    (photos / "mine" / "config.json").write_text('{"camera": 3}')
    assert "mine/c.png" in load(tmp_path).names


@pytest.mark.filterwarnings("ignore:.*left out 1 .json")
def test_pictures_of_a_run_are_images_where_they_are_asked_for(tmp_path):
    save(tmp_path / "photos" / "a.png", GREY)
    (tmp_path / "photos" / "config.json").write_text('{"format": 4, "method_config": {}}')
    assert load(tmp_path).names == ("a.png",)


def test_a_folder_of_runs_alone_says_why_it_has_no_images(tmp_path):
    save(tmp_path / "photos" / "run" / "step-5.png", GREY)
    mark = tmp_path / "photos" / "run" / "config.json"
    mark.write_text('{"format": 4, "method_config": {}}')
    with pytest.raises(ValueError, match=r"no file but what autobeta has written in .*run below"):
        load(tmp_path)
