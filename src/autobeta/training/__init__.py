"""The training loop, its checkpoints, its log."""

from autobeta.training.loop import Callback, fit
from autobeta.training.state import TrainState, make_state

__all__ = ["Callback", "TrainState", "fit", "make_state"]
