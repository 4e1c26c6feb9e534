"""A run with a likelihood of one's own, whose scale is learned with the network."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributions import StudentT

from autobeta import RunConfig, TrainConfig, load_run, train
from autobeta.models import AbstractLikelihood


class Student(AbstractLikelihood):
    """Student's t for each pixel: a few pixels that are far off cost less than in a Gaussian."""

    is_density = True  # `nll` has all constants, and may be negative

    def __init__(self, freedom: float = 4.0) -> None:
        super().__init__()
        self.freedom, self.log_scale = freedom, nn.Parameter(torch.tensor(-2.0))

    @property
    def log_sigma(self) -> Tensor:
        """Of the standard deviation, for the log."""
        return self.log_scale + 0.5 * math.log(self.freedom / (self.freedom - 2))

    def nll(self, outputs: Tensor, x: Tensor) -> Tensor:
        mean, scale = self.link(outputs), self.log_scale.exp()  # the link is the logistic function
        wanted = StudentT(self.freedom, mean, scale, validate_args=False)
        return -wanted.log_prob(x).sum(dim=(1, 2, 3))


def main(out: Path, data: str = "dsprites", steps: int = 1000) -> None:
    train(RunConfig(data=data, train=TrainConfig(steps=steps)), out, likelihood=Student())
    print(load_run(out, likelihood=Student()).model.likelihood.log_sigma.exp().item())


if __name__ == "__main__":
    main(Path("runs/own_likelihood"))
