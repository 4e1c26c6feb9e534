"""Weightings: what turns terms into a loss, each usable alone in anybody's loop."""

from autobeta.weighting._base import AbstractWeighting, effective_weights
from autobeta.weighting.capacity import CapacityKL
from autobeta.weighting.lagrangian import ReconstructionConstraint
from autobeta.weighting.learned import LearnedWeights, fixed_point
from autobeta.weighting.pid import (
    AbstractController,
    ControlledKL,
    Gains,
    IncrementalPI,
    LogPI,
    PositionalPI,
)
from autobeta.weighting.scheduled import ScheduledWeights

__all__ = [
    "AbstractController",
    "AbstractWeighting",
    "CapacityKL",
    "ControlledKL",
    "Gains",
    "IncrementalPI",
    "LearnedWeights",
    "LogPI",
    "PositionalPI",
    "ReconstructionConstraint",
    "ScheduledWeights",
    "effective_weights",
    "fixed_point",
]
