"""TrainConfig: how long, how fast and on what a run is trained."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of one training run.

    Raises:
        ValueError: If a number breaks its rule.
    """

    steps: int = 20_000
    """Number of optimiser updates."""
    batch_size: int = 64
    """Images per update."""
    lr: float = 5e-4
    """Adam's learning rate of the network; DynamicVAE and ControlVAE publish 1e-4 for runs of over
    a million steps."""
    seed: int = 0
    """The one integer behind the run's randomness."""
    device: str = "cpu"
    """cpu, cuda, or cuda:N."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 computes the networks in mixed precision; losses and weights stay float32."""
    log_every: int = 50
    """Steps between two lines of the log."""
    checkpoint_every: int = 1000
    """Steps between two checkpoints; the end of the run has one in any case."""
    checkpoint_minutes: float = 10.0
    """Minutes after which a checkpoint is written even within `checkpoint_every` steps."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        for name in ("lr", "checkpoint_minutes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive; got {getattr(self, name)}.")
