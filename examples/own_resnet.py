"""A run with a ResNet as encoder and another as decoder."""

from pathlib import Path

from torch import Tensor, nn

from autobeta import RunConfig, TrainConfig, load_run, train


class Residual(nn.Module):
    """Two convolutions beside a shortcut; `resize` halves or doubles the image first."""

    def __init__(self, inputs: int, outputs: int, resize: nn.Module) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(resize, nn.Conv2d(inputs, outputs, 1))
        first = [nn.GroupNorm(8, inputs), nn.SiLU(), resize, nn.Conv2d(inputs, outputs, 3, 1, 1)]
        second = [nn.GroupNorm(8, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, 1, 1)]
        self.body = nn.Sequential(*first, *second)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)


def network(image_shape: tuple[int, int, int], num_latents: int) -> tuple[nn.Module, nn.Module]:
    height, width, channels = image_shape  # multiples of 8
    down = [Residual(a, b, nn.AvgPool2d(2)) for a, b in ((16, 32), (32, 64), (64, 64))]
    up = [Residual(a, b, nn.Upsample(scale_factor=2)) for a, b in ((64, 64), (64, 32), (32, 16))]
    first, last = nn.Conv2d(channels, 16, 3, 1, 1), nn.Conv2d(16, channels, 3, 1, 1)
    flat, shaped = nn.Flatten(), nn.Unflatten(1, (64, height // 8, width // 8))
    encoder = nn.Sequential(first, *down, flat, nn.Linear(height * width, 2 * num_latents))
    return encoder, nn.Sequential(nn.Linear(num_latents, height * width), shaped, *up, last)


def main(out: Path, data: str = "dsprites", steps: int = 1000) -> None:
    train(RunConfig(data=data, train=TrainConfig(steps=steps)), out, network=network)
    print(load_run(out, network=network).progress)


if __name__ == "__main__":
    main(Path("runs/own_resnet"))
