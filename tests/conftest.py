import os
import random

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import config

torch.set_num_threads(1)  # the networks are small: a second thread waits more than it computes

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache of data sets."""
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path_factory.getbasetemp() / "data"))


@pytest.fixture(autouse=True)
def seed():
    """Every test starts from the same random numbers and leaves none behind."""
    np.random.seed(0)  # noqa: NPY002 - scikit-learn may fall back on the global state
    random.seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(autouse=True)
def global_state_guard():
    """Fail a test that changes a global default of torch."""

    def state():
        return (
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_grad_enabled(),
        )

    before = state()
    yield
    assert state() == before, "the test changed a global default of torch"


@pytest.fixture
def deterministic():
    """cuDNN without atomic additions, which make the last bits differ from run to run."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
        yield


@pytest.fixture
def unchecked():
    """For tests that step a controller thousands of times: shapes are checked by the others."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
