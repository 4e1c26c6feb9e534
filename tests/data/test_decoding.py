"""Image files are read on several cores: in order, with their errors, and in silence."""

import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from autobeta.data._core import pixels
from autobeta.data._core.pixels import decoded, quiet


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / f"{i}.png" for i in range(100)]
    for i, file in enumerate(found):
        Image.fromarray(np.full((8 + i % 3, 8, 3), i, np.uint8)).save(file)
    found[41].write_bytes(b"no image")
    return found


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_images_come_in_order_with_their_errors(files, jobs):
    with quiet():
        found = list(decoded(((f.name, f, None) for f in files), 4, 1, jobs=jobs))
    assert [name for name, _ in found] == [f.name for f in files]
    for i, (_, image) in enumerate(found):
        if i == 41:
            assert isinstance(image, ValueError)
            assert "41.png` must be a readable image" in str(image)
        else:
            assert image.shape == (4, 4, 1)
            assert (image == i).all()


def test_several_threads_read(files, monkeypatch):
    seen = set()

    def fitted(image, size, channels, own=pixels._fitted):
        seen.add(threading.get_ident())
        return own(image, size, channels)

    monkeypatch.setattr(pixels, "_fitted", fitted)
    with quiet():
        list(decoded(((f.name, f, None) for f in files * 20), 4, 1, jobs=4))
    assert len(seen) > 1


@pytest.mark.parametrize("cut", [None, 5, 6, 100])
@pytest.mark.parametrize("size", [None, 4])
def test_they_are_what_single_steps_make_of_them(tmp_path, cut, size):
    rng = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x112] = 6
    for name, shape, more in (
        ("a.png", (9, 12, 3), {}),
        ("b.png", (8, 8), {}),
        ("c.png", (7, 11, 4), {}),
        ("d.jpg", (12, 9, 3), {"exif": turned}),
    ):
        image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        image.save(tmp_path / name, **more)
        path = tmp_path / name
        whole = pixels.decode(path)
        top, left = (max(0, (side - (cut or side)) // 2) for side in whole.shape[:2])
        whole = whole[top : top + (cut or 100), left : left + (cut or 100)]
        expected = pixels.fit(whole, size, 3)
        with quiet():
            [(_, found)] = decoded([(name, path, None)], size, 3, cut=cut, jobs=1)
        assert np.array_equal(found, expected)


def test_bytes_are_read_like_files(files):
    items = ((i, f, f.read_bytes()) for i, f in enumerate(files))
    with quiet():
        from_bytes = dict(decoded(items, 4, 1, jobs=2))
        from_files = dict(decoded(((i, f, None) for i, f in enumerate(files)), 4, 1, jobs=2))
    for i in set(range(100)) - {41}:
        assert np.array_equal(from_bytes[i], from_files[i])


def test_filters_of_warnings_are_as_before(files):
    before = list(warnings.filters)
    with quiet():
        list(decoded(((f.name, f, None) for f in files), 4, 1, jobs=2))
    assert list(warnings.filters) == before
