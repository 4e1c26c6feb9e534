"""A run by a loss of one's own."""

from pathlib import Path

import torch

from autobeta import RunConfig, TrainConfig, load_run, train
from autobeta.methods import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.types import Scalar, Terms
from autobeta.weighting import AbstractWeighting


class FreeBits(AbstractWeighting):
    """loss = reconstruction + max(kl, floor), after https://arxiv.org/abs/1606.04934, eq. 15."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor

    def forward(self, terms: Terms, step: int) -> Scalar:
        return terms["reconstruction"] + torch.clamp(terms["kl"], min=self.floor)


def recipe(facts: Facts) -> Recipe:
    """Half a nat a latent is free."""
    return Recipe(objective=Elbo(), weighting=FreeBits(0.5 * facts.num_latents))


def main(out: Path, data: str = "dsprites", steps: int = 1000) -> None:
    config = RunConfig(data=data, train=TrainConfig(steps=steps))
    train(config, out, recipe=recipe)
    print(load_run(out, recipe=recipe).progress)


if __name__ == "__main__":
    main(Path("runs/own_recipe"))
