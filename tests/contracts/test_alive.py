"""Every listed method with each likelihood that it takes learns a code in 1,000 steps."""

import statistics
import warnings

import numpy as np
import pytest
import torch

from autobeta import ModelConfig, RunConfig, TrainConfig, registry
from autobeta.data import load_data
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training import fit
from autobeta.training.seeding import seed_everything

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchecked")]

LIKELIHOODS = ("bernoulli", "gaussian", "laplace", "continuousbernoulli")
PAIRS = [
    (method, likelihood)
    for method in registry.listed("methods")
    for likelihood in (("own",) if method == "sigmavae" else LIKELIHOODS)
]


@pytest.fixture(scope="module")
def scenes():
    dataset = load_data("scenes3d")
    return dataset.images(np.random.default_rng(0).choice(len(dataset), 5000, replace=False))


@pytest.mark.parametrize("data", ["dsprites", "scenes3d"])
@pytest.mark.parametrize(("method", "likelihood"), PAIRS)
def test_no_method_loses_its_code_in_a_thousand_steps(method, likelihood, data, scenes):
    """About a minute each; `reproductions/likelihoods/` keeps what each came to."""
    torch.set_num_threads(1)
    config = RunConfig(
        method=method,
        method_config=registry.load("methods", method).Config(),
        data="dsprites",
        model=ModelConfig() if likelihood == "own" else ModelConfig(likelihood=likelihood),
        train=TrainConfig(steps=1000, threads=1),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed_everything(0)
        state = build(config, Objects(data=scenes if data == "scenes3d" else None)).state
        log = fit(state, config.train)
    assert np.isfinite([row["loss"] for row in log]).all()
    assert statistics.fmean(row["kl_average"] for row in log[-2:]) >= 1
