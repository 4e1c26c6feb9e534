import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest

from autobeta.data import DataOptions, _sprites, check, dsprites, load_data, prepare_data
from autobeta.errors import MissingDataError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "dsprites.json").read_text())


[OFFICIAL] = dsprites.FILES


def save_official(path, images, **arrays):
    metadata = np.array({"latents_names": ("color",)}, dtype=object)  # a pickle, as in the file
    np.savez_compressed(path, imgs=images, metadata=metadata, **arrays)


def sprites(space):
    return _sprites.render(space.factors(np.arange(space.num_combinations)))


@pytest.mark.parametrize("known", REFERENCE["images"], ids=lambda known: str(known["index"]))
def test_real_images_are_rendered_to_the_pixel(known):
    assert dsprites.SPACE.factors(np.array([known["index"]])).tolist() == [known["factors"]]
    image = dsprites.render(np.array([known["index"]]))[0, :, :, 0] // 255
    rows = image.sum(axis=1)
    assert rows[rows > 0].tolist() == known["row_sums"]
    assert np.flatnonzero(rows)[0] == known["first_row"]
    assert hashlib.sha256(np.packbits(image).tobytes()).hexdigest() == known["sha256"]


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_extents_at_every_scale_are_those_of_the_real_images(shape):
    factors = np.array([[shape, scale, 0, 0, 0] for scale in range(6)])
    images = _sprites.render(factors)
    extents = [[int(image.any(0).sum()), int(image.any(1).sum())] for image in images]
    assert extents == REFERENCE["extents"][("square", "ellipse", "heart")[shape]]


def test_the_first_and_the_last_orientation_are_the_same_angle():
    columns = np.array([[s, 3, o, 12, 20] for s in range(3) for o in (0, 39)])
    images = _sprites.render(columns)
    assert np.array_equal(images[0::2], images[1::2])


def test_positions_move_sprites_right_and_down():
    images = _sprites.render(np.array([[0, 5, 0, 0, 0], [0, 5, 0, 31, 0], [0, 5, 0, 0, 31]]))
    first, right, down = ([np.flatnonzero(i.any(a)).min() for a in (0, 1)] for i in images)
    assert first == [6, 6]
    assert right == [38, 6]
    assert down == [6, 38]


def test_without_a_file_the_images_are_rendered_once(tmp_path, few_sprites, left_in):
    dataset = load_data("dsprites", root=tmp_path)
    assert dataset.source == "rendered"
    assert left_in(tmp_path) == ["rendered-64.npy", "rendered-64.npz"]
    assert np.array_equal(dataset.images(np.arange(2048)), dsprites.render(np.arange(2048)))
    written = (tmp_path / "dsprites" / "rendered-64.npy").stat().st_mtime_ns
    load_data("dsprites", root=tmp_path)
    assert (tmp_path / "dsprites" / "rendered-64.npy").stat().st_mtime_ns == written


def test_prepare_reports_its_progress(tmp_path, few_sprites):
    seen = []
    prepare_data("dsprites", root=tmp_path, on_progress=lambda *done: seen.append(done))
    assert seen[-1] == (2048, 2048)


def test_an_interrupted_prepare_leaves_no_broken_cache(tmp_path, few_sprites, left_in):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_data("dsprites", root=tmp_path, on_progress=interrupt)
    assert left_in(tmp_path) == []
    assert check(load_data("dsprites", root=tmp_path)).num_pixels_different == 0


def test_what_a_killed_prepare_left_is_never_opened_and_goes_later(tmp_path, few_sprites, left_in):
    folder = tmp_path / "dsprites"
    folder.mkdir()
    half = folder / "rendered-64.npy.123.tmp"
    half.write_bytes(b"half of the images")
    assert check(load_data("dsprites", root=tmp_path)).num_pixels_different == 0
    assert left_in(tmp_path) == ["rendered-64.npy", "rendered-64.npz"]


@pytest.mark.parametrize("placed", ["in the cache", "path", "folder"])
def test_the_official_file_is_used_where_it_is_at_hand(tmp_path, few_sprites, placed):
    folder = tmp_path / "dsprites" if placed == "in the cache" else tmp_path / "elsewhere"
    folder.mkdir()
    images = sprites(few_sprites)
    images[5] = 0  # to know it from a rendering
    save_official(folder / OFFICIAL, images)
    path = {"in the cache": None, "path": folder / OFFICIAL, "folder": folder}[placed]
    dataset = load_data("dsprites", DataOptions(path=path), tmp_path)
    assert dataset.source == f"official {OFFICIAL}"
    assert np.array_equal(dataset.images(np.arange(2048))[..., 0], images * 255)
    again = load_data("dsprites", root=tmp_path)
    assert again.source == dataset.source


def test_the_two_sources_have_caches_of_their_own(tmp_path, few_sprites, left_in):
    load_data("dsprites", root=tmp_path)
    save_official(tmp_path / OFFICIAL, sprites(few_sprites))
    load_data("dsprites", DataOptions(path=tmp_path), tmp_path)
    names = left_in(tmp_path / "dsprites")
    assert len(names) == 4
    assert names[0].startswith("64-")
    assert names[2:] == ["rendered-64.npy", "rendered-64.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images[:-1], r"got uint8 of \(2047, 64, 64\) in place of uint8 of \(2048"),
        (lambda images: images.astype(np.int16), "got int16 of"),
        (lambda images: images * np.uint8(255), "must be 0 or 1; got 255"),
    ],
)
def test_a_file_that_is_not_the_official_one_is_refused(
    tmp_path, few_sprites, left_in, change, message
):
    save_official(tmp_path / OFFICIAL, change(sprites(few_sprites)))
    with pytest.raises(ValueError, match=message):
        load_data("dsprites", DataOptions(path=tmp_path), tmp_path / "cache")
    assert left_in(tmp_path / "cache") == []


def test_a_file_without_images_is_refused(tmp_path, few_sprites):
    np.savez(tmp_path / "x.npz", pictures=np.zeros(3))
    with pytest.raises(ValueError, match="got no array 'imgs' but pictures"):
        load_data("dsprites", DataOptions(path=tmp_path / "x.npz"), tmp_path)


def test_a_truncated_file_is_refused(tmp_path, few_sprites):
    path = tmp_path / OFFICIAL
    save_official(path, sprites(few_sprites))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=r"must be an? (official file of dSprites|whole \.npy or \.npz file)"
    ):
        load_data("dsprites", DataOptions(path=path), tmp_path)


def test_a_file_with_a_damaged_image_is_refused(tmp_path, few_sprites):
    path = tmp_path / OFFICIAL
    images = np.random.default_rng(0).integers(0, 2, (2048, 64, 64), dtype=np.uint8)
    save_official(path, images)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(
        ValueError, match=r"must be an? (official file of dSprites|whole \.npy or \.npz file)"
    ):
        load_data("dsprites", DataOptions(path=path), tmp_path)


def test_a_missing_file_is_reported_with_its_address(tmp_path):
    with pytest.raises(
        MissingDataError,
        match=r"found no dsprites_.* or fetch https://github.com.* leave `path` out",
    ):
        load_data("dsprites", DataOptions(path=tmp_path), tmp_path)


@pytest.mark.parametrize("size", [32, 128])
def test_another_size_is_refused_with_the_reason(tmp_path, size):
    with pytest.raises(ValueError, match=rf"must be 64 for dsprites; got {size}\. Scaled"):
        load_data("dsprites", DataOptions(image_size=size), tmp_path)


def test_colour_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`channels` must be 1 for dsprites; got 3"):
        load_data("dsprites", DataOptions(channels=3), tmp_path)


@pytest.mark.slow
def test_the_whole_set_is_rendered_in_a_minute_and_opens_in_a_second(tmp_path):
    start = time.perf_counter()
    cache = prepare_data("dsprites", root=tmp_path)
    assert time.perf_counter() - start < 60
    assert cache.stat().st_size < 400e6
    start = time.perf_counter()
    dataset = load_data("dsprites", root=tmp_path)
    assert time.perf_counter() - start < 1
    white = sum(
        int((dataset.images(np.arange(i, i + 4096)) == 255).sum())
        for i in range(0, len(dataset), 4096)
    )
    # The mathematical functions of another machine may tip a few ties between two pixels.
    assert abs(white - REFERENCE["whole"]["white_pixels_official"]) < 100
    packed = np.load(cache, mmap_mode="r")
    digest = hashlib.sha256(packed.tobytes()).hexdigest()
    if white == REFERENCE["whole"]["white_pixels"]:
        assert digest == REFERENCE["whole"]["sha256"]
