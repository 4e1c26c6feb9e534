"""Weightings: what turns terms into a loss, each usable alone in anybody's loop."""

from autobeta.weighting._base import (
    AbstractWeighting,
    check_terms,
    effective_weights,
    weighted_sum,
)
from autobeta.weighting._controller import AbstractController, Gains
from autobeta.weighting.capacity import CapacityKL, SquaredCapacityKL
from autobeta.weighting.controlled import ControlledKL
from autobeta.weighting.controllers import IncrementalPI, LogPI, PositionalPI
from autobeta.weighting.lagrangian import ReconstructionConstraint, RelativeConstraint
from autobeta.weighting.learned import LearnedWeights, fixed_point
from autobeta.weighting.natural import NaturalWeights
from autobeta.weighting.scheduled import ScheduledWeights
from autobeta.weighting.selftuning import SelfTuningPI

__all__ = [
    "AbstractController",
    "AbstractWeighting",
    "CapacityKL",
    "ControlledKL",
    "Gains",
    "IncrementalPI",
    "LearnedWeights",
    "LogPI",
    "NaturalWeights",
    "PositionalPI",
    "ReconstructionConstraint",
    "RelativeConstraint",
    "ScheduledWeights",
    "SelfTuningPI",
    "SquaredCapacityKL",
    "check_terms",
    "effective_weights",
    "fixed_point",
    "weighted_sum",
]
