import numpy as np
import pytest
from PIL import Image

from autobeta.reports import load_runs, save_montage, save_traversal_gif, save_traversal_grid
from autobeta.reports._style import webp_uri
from autobeta.reports.pictures import (
    FOOT,
    GAP,
    MOST_ROWS,
    grid,
    reconstructions,
    samples,
    strip,
    traversals,
)
from autobeta.run import folder as runs

LATENTS = {
    "latents": np.array([0, 1, 2]),
    "kl": np.array([0.001, 2.0, 5.0]),
    "active": np.array([False, True, True]),
}


def _moving(num_latents=3, num_values=6, side=64, channels=1):
    """Images whose grey value says which latent and which value they show."""
    images = np.zeros((num_latents, num_values, side, side, channels), np.uint8)
    for latent in range(num_latents):
        for value in range(num_values):
            images[latent, value] = 60 * latent + 10 * value
    return images


def _tiles(picture, *, rows, columns, side):
    """The images of a grid, without labels: shape (rows, columns, side, side, 3)."""
    pixels = np.asarray(picture)
    margin = pixels.shape[1] - columns * (side + GAP) + GAP
    tiles = [
        [
            pixels[y : y + side, margin + x : margin + x + side]
            for x in range(0, columns * (side + GAP), side + GAP)
        ]
        for y in range(0, rows * (side + GAP), side + GAP)
    ]
    return np.array(tiles)


def test_a_grid_puts_every_image_at_its_place_and_enlarges_by_a_whole_factor():
    images = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1).repeat(48, 2).repeat(48, 3)
    picture = grid(images, ["", ""])
    side = 96 + GAP
    assert picture.size == (3 * side - GAP, 2 * side - GAP)
    tiles = _tiles(picture, rows=2, columns=3, side=96)
    assert np.all(tiles == images.reshape(2, 3, 48, 48, 1)[:, :, :1, :1])
    assert np.all(np.asarray(picture)[96 : 96 + GAP] == 255)


def test_large_colour_images_keep_their_pixels():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 128, 128, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(grid(image, [""])), image[0, 0])


def _labels(monkeypatch, draw):
    """What `draw` gives as labels, before the rows and below the columns."""
    seen = []

    def spy(images, labels, below=(), **options):
        seen.append((list(labels), list(below)))
        return grid(images, labels, below, **options)

    monkeypatch.setattr("autobeta.reports.pictures.grid", spy)
    return draw(), *seen


def test_traversal_rows_are_sorted_by_kl_and_dead_latents_are_marked(make_run, monkeypatch):
    (run,) = load_runs([make_run()])
    _, (labels, below) = _labels(monkeypatch, lambda: traversals(run))
    assert labels == ["z1  12.00 nats", "z3  4.99 nats", "z2  2.00 nats", "z0  dead"]
    assert below == ["-2", "-1", "0", "1", "2"]


def test_only_the_latents_of_the_largest_kl_are_on_a_page(make_run):
    count = MOST_ROWS + 6
    folder = make_run()
    arrays = {
        "images": np.zeros((count, 2, 8, 8, 1), np.uint8),
        "latents": np.arange(count),
        "kl": np.arange(count, 0.0, -1),
        "active": np.ones(count, bool),
        "values": np.array([-1.0, 1.0]),
    }
    runs.write_npz(folder / runs.TRAVERSALS, arrays)
    picture = traversals(load_runs([folder])[0])
    assert picture.height == MOST_ROWS * (64 + GAP) - GAP + FOOT


def test_reconstructions_stand_below_their_originals(make_run, monkeypatch):
    (run,) = load_runs([make_run()])
    picture, (labels, _) = _labels(monkeypatch, lambda: reconstructions(run))
    assert labels == ["data", "model"] * 2
    shown = _tiles(picture, rows=4, columns=8, side=64)
    # the reconstructions of the fixture are the originals at half brightness; 10 images: 8 and 2
    np.testing.assert_array_equal(shown[::2, :2] // 2, shown[1::2, :2])
    assert shown[:2].std() > 0
    assert np.all(shown[2:, 2:] == 255)


def test_prior_samples_fill_rows_of_eight(make_run):
    picture = samples(load_runs([make_run()])[0])
    assert picture.size == (8 * (64 + GAP) - GAP, 2 * (64 + GAP) - GAP)


def test_pictures_of_a_run_without_images_are_an_error(make_run):
    (run,) = load_runs([make_run(pictures=False)])
    with pytest.raises(
        ValueError, match=r"must have originals in reconstructions\.npz; `run` has none"
    ):
        reconstructions(run)
    with pytest.raises(ValueError, match=r"must have images in traversals\.npz; `run` has none"):
        traversals(run)
    with pytest.raises(ValueError, match=r"must have samples in traversals\.npz; `run` has none"):
        samples(run)


def test_the_gif_goes_to_and_fro_with_every_latent_in_each_frame(tmp_path):
    path = tmp_path / "traversals.gif"
    save_traversal_gif(path, _moving(), **LATENTS, columns=2)
    with Image.open(path) as gif:
        assert gif.n_frames == 2 * 6 - 2
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 90
        # two columns of 128 pixels; two rows of 128 pixels and their labels
        assert gif.size == (2 * 128 + GAP, 2 * (128 + FOOT))
        seen = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            seen.append(gif.convert("RGB").getpixel((10, 10))[0])
    # the latent of the highest KL comes first: grey value 120 and ten more for each value
    expected = [120, 130, 140, 150, 160, 170, 160, 150, 140, 130]
    np.testing.assert_allclose(seen, expected, atol=4)


def test_the_png_grid_has_a_row_per_latent_sorted_by_kl(tmp_path):
    path = tmp_path / "traversals.png"
    save_traversal_grid(path, _moving(channels=3), **LATENTS)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    side = 128 + GAP
    assert pixels.shape[0] == 3 * side - GAP
    margin = pixels.shape[1] - (6 * side - GAP)
    assert margin > 0
    rows = [pixels[row * side + 64, margin + 64, 0] for row in range(3)]
    assert rows == [120, 60, 255 - 255 // 2]  # the dead latent's black is half faded
    assert np.all(pixels[:, :4] == 255)


def test_a_single_latent_with_a_single_value_is_a_still_gif(tmp_path):
    path = tmp_path / "one.gif"
    only = {name: values[:1] for name, values in LATENTS.items()}
    save_traversal_gif(path, _moving(1, 1), **only)
    with Image.open(path) as gif:
        assert gif.n_frames == 1


def test_a_montage_file_has_rows_of_the_asked_length_and_white_where_images_end(tmp_path):
    path = tmp_path / "samples.png"
    save_montage(path, _moving(1, 3)[0], columns=2)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    side = 128 + GAP
    assert pixels.shape[:2] == (2 * side - GAP, 2 * side - GAP)
    assert [pixels[y, x, 0] for y, x in ((5, 5), (5, side + 5), (side + 5, 5))] == [0, 10, 20]
    assert np.all(pixels[side:, side:] == 255)


def test_large_images_are_small_on_a_page_and_sliders_find_them(make_run):
    """WebP holds 16,383 pixels; 24 rows of 720 are more."""
    folder = make_run()
    size, count = 720, 24
    shades = np.linspace(0, 250, count * 2).astype(np.uint8).reshape(count, 2, 1, 1, 1)
    arrays = {
        "images": np.broadcast_to(shades, (count, 2, size, size, 1)),
        "latents": np.arange(count),
        "kl": np.arange(count, 0.0, -1),
        "active": np.ones(count, bool),
        "values": np.array([-1.0, 1.0]),
    }
    runs.write_npz(folder / runs.TRAVERSALS, arrays)
    (run,) = load_runs([folder])
    picture = traversals(run)
    assert webp_uri(picture).startswith("data:image/webp")
    found = strip(run, picture.width)
    assert found["width"] == found["height"] == 120
    pixels = np.asarray(picture)
    for row, column in ((0, 0), (7, 1), (23, 1)):
        x = found["left"] + column * (found["width"] + found["gap"])
        y = row * (found["height"] + found["gap"])
        tile = pixels[y : y + found["height"], x : x + found["width"]]
        assert (tile == shades[row, column].item()).all()
