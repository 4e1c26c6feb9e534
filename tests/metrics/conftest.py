"""Factors and codes shared by the tests of the metrics."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def grid():
    """All combinations of three factors of 3, 4 and 5 values, ten times over."""
    values = np.stack(np.meshgrid(range(3), range(4), range(5), indexing="ij"), axis=-1)
    return np.tile(values.reshape(-1, 3), (10, 1))


@pytest.fixture
def identity(grid):
    """A perfect code: each latent is one factor, scaled to unit variance."""
    return (grid - grid.mean(axis=0)) / grid.std(axis=0)


@pytest.fixture
def points():
    """1,000 codes of a good synthetic representation, with two factors."""
    with np.load(Path(__file__).parents[1] / "reference" / "metrics_points.npz") as file:
        return file["codes"], file["factors"].astype(np.int64)


@pytest.fixture
def mixed(points):
    """The same points seen through a rotation, so that scores lie between their ends."""
    codes, factors = points
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(10, 10)))
    return codes @ np.linalg.qr(np.eye(10) + 2 * rotation)[0], factors
