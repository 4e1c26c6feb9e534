import pytest

from autobeta.assemble import RunConfig, build_state, load_dataset
from autobeta.training import TrainConfig
from autobeta.training.seeding import seed_everything


@pytest.fixture
def make_run():
    """A small run on toy images: configuration and a fresh training state."""

    def make(method="vae", steps=6, **train):
        settings = {"batch_size": 8, "log_every": 2, "checkpoint_every": 2} | train
        config = RunConfig(method=method, data="toy", train=TrainConfig(steps=steps, **settings))
        seed_everything(config.train.seed)
        return config, build_state(config, load_dataset(config))

    return make
