"""A run on images of one's own: a torch Dataset of images with labels, or an array."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from autobeta import EvaluationConfig, RunConfig, TrainConfig, encode, load_run, train


class Discs(Dataset):
    """Grey discs, 32 x 32 pixels; the label is the radius."""

    def __len__(self) -> int:
        return 200

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
        radius = 4 + i % 8
        inside = (x - 10 - i % 13) ** 2 + (y - 10 - i // 13 % 13) ** 2 < radius**2
        return inside.float()[None], radius


def main(out: Path, steps: int = 1000) -> None:
    """Train on both, load one again and encode with it."""
    config = RunConfig(method="dynamicvae", train=TrainConfig(steps=steps, batch_size=32))
    few = EvaluationConfig(num_points=150)
    train(config, out / "discs", data=Discs(), evaluation=few)

    array = np.random.default_rng(0).integers(0, 256, (200, 64, 64, 3), dtype=np.uint8)
    train(config, out / "array", data=array, evaluation=few)
    print(encode(load_run(out / "array"), array[:5]).codes.shape)  # (5, 10)


if __name__ == "__main__":
    main(Path("runs/own_data"))
