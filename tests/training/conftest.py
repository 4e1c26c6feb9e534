from contextlib import contextmanager

import pytest
import torch

from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig, registry
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training.seeding import seed_everything


@pytest.fixture
def make_run():
    """A small run on toy images: configuration and a fresh training state."""

    def make(method="vae", steps=6, own=None, **train):
        settings = {"batch_size": 8, "log_every": 2, "checkpoint_every": 2, "device": "cpu"}
        config = RunConfig(
            method=method,
            method_config=registry.load("methods", method).Config(**own or {}),
            data="toy",
            data_options=DataOptions(image_size=32),
            model=ModelConfig(architecture="burgess"),
            train=TrainConfig(steps=steps, **settings | train),
        )
        seed_everything(config.train.seed)
        return config, build(config, Objects()).state

    return make


@pytest.fixture
def never_read(monkeypatch):
    """A context in which no tensor is read on the host: that would stop a CUDA device."""

    def wait(*args, **kwargs):
        raise AssertionError("a tensor was read on the host")

    @contextmanager
    def inside():
        with monkeypatch.context() as patch:
            for name in ("item", "tolist", "__bool__", "__float__", "__int__", "numpy", "cpu"):
                patch.setattr(torch.Tensor, name, wait)
            yield

    return inside
