"""Image files are read on several cores: in order, with their errors, and in silence."""

import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from autobeta.data._core.pixels import decoded, fit, quiet


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / f"{i}.png" for i in range(100)]
    for i, file in enumerate(found):
        Image.fromarray(np.full((8 + i % 3, 8, 3), i, np.uint8)).save(file)
    found[41].write_bytes(b"no image")
    return found


def small(pixels):
    return fit(pixels, 4, 1)


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_images_come_in_order_with_their_errors(files, jobs):
    with quiet():
        found = list(decoded(((f.name, f, None) for f in files), small, jobs=jobs))
    assert [name for name, _ in found] == [f.name for f in files]
    for i, (_, pixels) in enumerate(found):
        if i == 41:
            assert isinstance(pixels, ValueError)
            assert "41.png` must be a readable image" in str(pixels)
        else:
            assert pixels.shape == (4, 4, 1)
            assert (pixels == i).all()


def test_several_threads_read(files):
    seen = set()

    def finish(pixels):
        seen.add(threading.get_ident())
        return small(pixels)

    with quiet():
        list(decoded(((f.name, f, None) for f in files * 20), finish, jobs=4))
    assert len(seen) > 1


def test_bytes_are_read_like_files(files):
    items = ((i, f, f.read_bytes()) for i, f in enumerate(files))
    with quiet():
        from_bytes = dict(decoded(items, small, jobs=2))
        from_files = dict(decoded(((i, f, None) for i, f in enumerate(files)), small, jobs=2))
    for i in set(range(100)) - {41}:
        assert np.array_equal(from_bytes[i], from_files[i])


def test_filters_of_warnings_are_as_before(files):
    before = list(warnings.filters)
    with quiet():
        list(decoded(((f.name, f, None) for f in files), small, jobs=2))
    assert list(warnings.filters) == before
