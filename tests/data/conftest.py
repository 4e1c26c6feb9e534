from pathlib import Path

import numpy as np
import pytest

from autobeta.data import FactorDataset, FactorSpace, dsprites
from autobeta.data._core.sources import from_array


@pytest.fixture
def few_sprites(monkeypatch):
    """dSprites cut down to two orientations of the smallest square: 2,048 images."""
    space = FactorSpace(dsprites.SPACE.names, (1, 1, 2, 32, 32))
    monkeypatch.setattr(dsprites, "SPACE", space)
    return space


@pytest.fixture
def numbered():
    """A set of 10 images whose grey value is their position."""
    images = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    return FactorDataset(
        name="numbered",
        source="test",
        num_images=10,
        image_shape=(4, 4, 1),
        images=from_array(images),
    )


@pytest.fixture
def left_in():
    """Names of the files in a folder and below it, but for the locks of their writers."""

    def names(folder: Path) -> list[str]:
        return sorted(
            file.name for file in folder.rglob("*") if file.is_file() and file.name != ".lock"
        )

    return names
