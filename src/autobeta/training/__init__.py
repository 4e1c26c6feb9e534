"""The training loop, its checkpoints, its log."""

from autobeta.training.held_out import HeldOut
from autobeta.training.loop import Callback, fit
from autobeta.training.state import TrainState, make_state

__all__ = ["Callback", "HeldOut", "TrainState", "fit", "make_state"]
