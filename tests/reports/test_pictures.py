import numpy as np
import pytest
from PIL import Image

from autobeta.reports import load_runs, save_montage, save_traversal_gif, save_traversal_grid
from autobeta.reports._montage import GAP, montage
from autobeta.reports._style import GREY, INK
from autobeta.reports.pictures import reconstructions, samples, traversals

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


def test_a_montage_puts_every_image_at_its_place_and_enlarges_by_a_whole_factor():
    images = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1).repeat(48, 2).repeat(48, 3)
    joined = montage(images)
    side = 96 + GAP
    assert joined.shape == (2 * side - GAP, 3 * side - GAP, 3)
    for row in range(2):
        for column in range(3):
            tile = joined[row * side : row * side + 96, column * side : column * side + 96]
            assert np.all(tile == images[row, column, 0, 0, 0])
    assert np.all(joined[96 : 96 + GAP] == 255)


def test_large_colour_images_keep_their_pixels():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 128, 128, 3)).astype(np.uint8)
    np.testing.assert_array_equal(montage(image), image[0, 0])


def test_traversal_rows_are_sorted_by_kl_and_dead_latents_are_marked(make_run):
    (axis,) = traversals(load_runs([make_run()])[0]).axes
    labels = axis.get_yticklabels()
    assert [label.get_text() for label in labels] == [
        "z1  12.00 nats",
        "z3  4.99 nats",
        "z2  2.00 nats",
        "z0  dead",
    ]
    assert [label.get_color() for label in labels] == [INK, INK, INK, GREY]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["-2", "-1", "0", "1", "2"]


def test_reconstructions_stand_below_their_originals(make_run):
    (axis,) = reconstructions(load_runs([make_run()])[0]).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["data", "model"] * 2
    shown = axis.images[0].get_array()
    side = 96 + GAP
    # the reconstructions of the fixture are the originals at half brightness; 10 images: 8 and 2
    np.testing.assert_array_equal(shown[:96, :96] // 2, shown[side : side + 96, :96])
    assert np.all(shown[2 * side :, 2 * side :] == 255)


def test_prior_samples_fill_rows_of_eight(make_run):
    (axis,) = samples(load_runs([make_run()])[0]).axes
    side = 96 + GAP
    assert axis.images[0].get_array().shape == (2 * side - GAP, 8 * side - GAP, 3)


def test_pictures_of_a_run_without_images_are_an_error(make_run):
    (run,) = load_runs([make_run(pictures=False)])
    with pytest.raises(ValueError, match=r"must have reconstructions\.npz; `run` has none"):
        reconstructions(run)
    with pytest.raises(ValueError, match=r"must have traversals\.npz; `run` has none"):
        traversals(run)
    with pytest.raises(ValueError, match=r"must have prior samples; `run` has none"):
        samples(run)


def test_the_gif_goes_to_and_fro_with_every_latent_in_each_frame(tmp_path):
    path = tmp_path / "traversals.gif"
    save_traversal_gif(path, _moving(), **LATENTS, columns=2)
    with Image.open(path) as gif:
        assert gif.n_frames == 2 * 6 - 2
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 90
        # two columns of 128 pixels; two rows of 128 pixels and a caption of 18
        assert gif.size == (2 * 128 + GAP, 2 * (128 + 18))
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
    assert pixels.shape == (3 * side - GAP, 120 + 6 * side - GAP, 3)
    rows = [pixels[row * side + 64, 120 + 64, 0] for row in range(3)]
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
