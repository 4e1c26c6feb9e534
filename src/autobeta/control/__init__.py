"""What a controlled run does and will do: the loop's linear analysis, numbers from run logs."""

from autobeta.control.constraint import Constraint, constraint
from autobeta.control.conventions import Convention, convert_beta
from autobeta.control.loop import (
    Loop,
    damping,
    gain_margin,
    is_stable,
    overshoot,
    poles,
    step_response,
    suggest_gains,
)
from autobeta.control.plant import Plant, identify
from autobeta.control.report import LoopReport, analyse
from autobeta.control.suggestion import PilotLog, Point, Suggestion, read_pilot, suggest
from autobeta.control.tracking import Tracking, advice, tracking

__all__ = [
    "Constraint",
    "Convention",
    "Loop",
    "LoopReport",
    "PilotLog",
    "Plant",
    "Point",
    "Suggestion",
    "Tracking",
    "advice",
    "analyse",
    "constraint",
    "convert_beta",
    "damping",
    "gain_margin",
    "identify",
    "is_stable",
    "overshoot",
    "poles",
    "read_pilot",
    "step_response",
    "suggest",
    "suggest_gains",
    "tracking",
]
