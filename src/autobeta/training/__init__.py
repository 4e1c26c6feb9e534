"""The training loop, its checkpoints and its settings."""

from autobeta.training.config import TrainConfig
from autobeta.training.loop import fit
from autobeta.training.state import TrainState, make_state

__all__ = ["TrainConfig", "TrainState", "fit", "make_state"]
