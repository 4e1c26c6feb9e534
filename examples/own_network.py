"""A run with an encoder, a decoder and a likelihood of one's own."""

from pathlib import Path

import torch
from torch import nn

from autobeta import RunConfig, TrainConfig, load_run, train
from autobeta.models import AbstractLikelihood


def network(image_shape: tuple[int, int, int], num_latents: int) -> tuple[nn.Module, nn.Module]:
    """An encoder to means and log-variances in one tensor, and a decoder of images' shape."""
    height, width, channels = image_shape
    pixels = height * width * channels
    hidden = [nn.Flatten(), nn.Linear(pixels, 128), nn.SiLU()]
    encoder = nn.Sequential(*hidden, nn.Linear(128, 2 * num_latents))
    shaped = nn.Unflatten(1, (channels, height, width))
    return encoder, nn.Sequential(nn.Linear(num_latents, pixels), shaped)


class Laplace(AbstractLikelihood):
    """Sum of absolute errors: a Laplace distribution of scale 1, without its constants."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_sigma", torch.zeros(()), persistent=False)

    def nll(self, outputs: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (self.mean_image(outputs) - x).abs().sum(dim=(1, 2, 3))


def main(out: Path, data: str = "dsprites", steps: int = 1000) -> None:
    config = RunConfig(method="betavae", data=data, train=TrainConfig(steps=steps))
    train(config, out, network=network, likelihood=Laplace())
    print(load_run(out, network=network, likelihood=Laplace()).progress)


if __name__ == "__main__":
    main(Path("runs/own_network"))
