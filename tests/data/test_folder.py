import numpy as np
import pytest
from PIL import Image

from autobeta.data import DataOptions, load_data
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


def test_all_formats_are_found_below_the_folder_in_the_order_of_their_paths(tmp_path):
    photos = tmp_path / "photos"
    for name in ("b/2.jpeg", "a.png", "b/1.JPG", "c.webp", "d.bmp"):
        save(photos / name, COLOUR)
    (photos / "notes.txt").write_text("not an image")
    save(photos / ".hidden.png", COLOUR)
    save(photos / ".thumbnails" / "a.png", COLOUR)
    dataset = load(tmp_path)
    assert len(dataset) == 5
    assert dataset.source == "5 images of the folder photos"
    assert np.array_equal(whole(dataset)[0], COLOUR)
    assert np.array_equal(whole(dataset)[4], COLOUR)
    assert dataset.factor_space is None
    assert dataset.factor_values is None


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
    assert len(left_in(tmp_path / "cache")) == 1
    save(tmp_path / "photos" / "a.png", GREY[:50])
    load(tmp_path)
    assert len(left_in(tmp_path / "cache")) == 2


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
    with pytest.raises(ValueError, match=r"b\.png` must be a readable image; got .*remove it"):
        load(tmp_path)
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp"])
def test_a_truncated_image_is_named(tmp_path, name):
    path = tmp_path / "photos" / name
    save(path, COLOUR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{name}` must be a readable image"):
        load(tmp_path)


def test_an_image_of_16_bits_is_refused(tmp_path):
    save(tmp_path / "photos" / "a.png", GREY.astype(np.uint16) * 257)
    with pytest.raises(ValueError, match="mode I;16, not 8 bits per channel"):
        load(tmp_path)


@pytest.mark.parametrize("limit", [3000, 1000])
def test_an_image_too_large_for_the_memory_is_refused(tmp_path, monkeypatch, limit):
    save(tmp_path / "photos" / "a.png", COLOUR)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # a warning, and an error above twice
    with pytest.raises(ValueError, match=rf"must have at most {limit} pixels"):
        load(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match=r"must have an image \(\.png, .*got none below"):
        load(tmp_path)


def test_a_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match="must be a folder of images; found none at"):
        load(tmp_path)
    with pytest.raises(ValueError, match="must be a folder of images; got None"):
        load_data("folder", root=tmp_path)


def test_other_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be 32 or 64 or 128 for folder; got 100"):
        load(tmp_path, image_size=100)
