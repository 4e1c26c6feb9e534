"""The loop of a controlled run, analysed from its log."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autobeta.control.loop import Loop, damping, gain_margin, overshoot, suggest_gains
from autobeta.control.plant import Plant, found_by_controller, gains_in_force, identify

DEAD = 3  # steps before KL answers, in every network measured (`docs/dynamicvae.md`)
_SETTLING = 50.0  # steps, the least time constant that gains are proposed for
_SLOPE = 4  # kp of IncrementalPI and PositionalPI over that of their linear form


class LoopReport(NamedTuple):
    """What a run's loop does, by the linear analysis, and gains that would suit its network."""

    plant: Plant
    margin: float
    damping: float
    overshoot: float
    kp: float
    ki: float
    """Gains that would suit, as the controller takes them: ki is negative."""


def analyse(
    log: Sequence[Mapping[str, Any]], *, kp: float, ki: float, window: int, logarithmic: bool
) -> LoopReport | str:
    """Identify the plant of a run, and close the loop with a controller's linear gains.

    `log` is as for `identify`, the gains are the fields of `AbstractController.near_target()`. If
    they are not `logarithmic`, the plant's gain is that at the median beta of the last quarter of
    the log. A self-tuning controller's own plant and gains are read from the log. Where the log
    does not show the plant, a sentence says why and what to do instead of the report. What KL did
    is then still in `tracking`.
    """
    if not log:
        return "The log has no line yet, so nothing can be said of the loop. Train the run first."
    own = gains_in_force(log)
    kp, ki = (own["kp"], own["ki"]) if own else (kp, ki)
    if ki == 0:
        return "The controller has no integral gain, so that KL does not follow its set point."
    try:
        plant = found_by_controller(log) or identify(log)
    except ValueError as error:
        return str(error)
    late = [row["beta"] for row in log[-len(log) // 4 :]]
    gain = plant.gain if logarithmic else plant.gain / float(np.median(late))
    dead = min(DEAD, int(plant.lag)) if own else 0  # a controller's lag has it in it
    loop = Loop(gain=gain, lag=plant.lag - dead, kp=kp, ki=ki, window=window, dead=dead)
    suited_kp, suited_ki = suggest_gains(gain, plant.lag, settling=max(_SETTLING, plant.lag))
    return LoopReport(
        plant=plant,
        margin=gain_margin(loop),
        damping=damping(loop),
        overshoot=overshoot(loop),
        kp=suited_kp if logarithmic else _SLOPE * suited_kp,
        ki=-suited_ki,
    )
