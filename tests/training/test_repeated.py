"""fit with batches of a loader in place of Batches."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from autobeta import DataOptions, TrainConfig
from autobeta.data import load_data
from autobeta.models import VAE, Bernoulli
from autobeta.models.networks import mlp
from autobeta.objectives import Elbo
from autobeta.training import fit, make_state
from autobeta.training.repeated import Repeated
from autobeta.weighting import ScheduledWeights

SHAPE = (32, 32, 1)


def state_of(batches, settings):
    model = VAE(mlp.encoder(SHAPE, 3), mlp.decoder(SHAPE, 3), Bernoulli())
    return make_state(model, Elbo(), ScheduledWeights({"kl": 1.0}), batches, settings)


def test_fit_goes_through_a_loader_until_its_steps_are_done():
    toy = load_data("toy", DataOptions(image_size=32))
    loader = DataLoader(Subset(toy, range(64)), batch_size=16, shuffle=True)  # 4 batches
    settings = TrainConfig(steps=30, batch_size=16, log_every=5)
    log = fit(state_of(loader, settings), settings)
    assert [row["step"] for row in log] == [5, 10, 15, 20, 25, 30]
    assert log[-1]["loss"] < log[0]["loss"] / 2


def test_of_images_and_labels_the_images_are_taken():
    x = torch.rand(8, 1, 32, 32, dtype=torch.float64)
    batches = Repeated(DataLoader(TensorDataset(x, torch.arange(8)), batch_size=4), "cpu")
    found = [next(batches) for _ in range(4)]
    assert torch.equal(torch.cat(found), torch.cat([x, x]).float())
    assert iter(batches) is batches


def test_a_loader_cannot_be_kept_in_a_folder(tmp_path):
    settings = TrainConfig(steps=2, batch_size=4)
    state = state_of([torch.rand(4, 1, 32, 32)], settings)
    with pytest.raises(ValueError, match="`batches` must be Batches to keep a checkpoint"):
        fit(state, settings, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_gives_no_batches_is_refused():
    with pytest.raises(TypeError, match=r"`batches` must be Batches, or give batches.*got int"):
        Repeated(3, "cpu")
    with pytest.raises(ValueError, match="`batches` must give at least one batch"):
        next(Repeated([], "cpu"))
    once = Repeated(iter([torch.rand(4, 1, 32, 32)]), "cpu")
    next(once)
    with pytest.raises(ValueError, match="that can be gone through again"):
        next(once)


@pytest.mark.parametrize(
    "item",
    [np.zeros((4, 1, 32, 32)), torch.zeros(4, 32, 32), torch.zeros(4, 1, 32, 32).byte()],
    ids=["array", "flat", "bytes"],
)
def test_batches_that_are_no_images_are_refused(item):
    with pytest.raises(ValueError, match="`batches` must give real tensors"):
        next(Repeated([item], "cpu"))


def test_a_smaller_last_batch_is_refused_with_the_way_out():
    batches = Repeated(DataLoader(torch.rand(6, 1, 8, 8), batch_size=4), "cpu")
    next(batches)
    with pytest.raises(ValueError, match=r"one shape, \(4, 1, 8, 8\); got \(2, 1.*drop_last=True"):
        next(batches)
