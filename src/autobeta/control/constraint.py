"""Whether a run held its reconstruction at the target, from the run's log."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_LAST = 0.9  # of the run, from which on it should be there
_NEAR = 0.05  # of the target
_LEAST = 1.0  # nat, below which nothing is said


class Constraint(NamedTuple):
    """The reconstruction against its target, in the last tenth of a run."""

    target: float
    """Nats per image."""
    reconstruction: float
    """Its mean, nats per image."""
    advice: str
    """What to try where it is off by more than 5 % of the target and a nat, or is there without a
    code; else empty."""


def constraint(log: Sequence[Mapping[str, Any]], target: float | None = None) -> Constraint | None:
    """How near a run of GECO is to its target; None if it has none, or no line of the log.

    Args:
        log: Lines with `step`, `terms`, `beta` and `state`.
        target: Where the state has no `weighting.reconstruction_target`, being a setting.

    Example:
        >>> row = {"terms": {"reconstruction": 80.0, "kl": 9.0}, "state": {}}
        >>> lines = [{"step": i, "beta": 1 / i, **row} for i in range(1, 11)]
        >>> constraint(lines, 60.0).advice.split(":")[0]
        'R was 80 in the last tenth of the run, above its target of 60'
    """
    if not log:
        return None
    target = log[-1]["state"].get("weighting.reconstruction_target", target)
    if target is None:
        return None
    lines = [row for row in log if row["step"] > _LAST * log[-1]["step"]]
    found = statistics.fmean(row["terms"]["reconstruction"] for row in lines)
    kl = statistics.fmean(row["terms"]["kl"] for row in lines)
    if abs(found - target) <= max(_NEAR * abs(target), _LEAST):
        empty = (
            f"R is at its target of {target:.4g} with {kl:.2g} nats of KL: that asks for next to "
            "no code. Lower the target; if it was measured, train longer."
        )
        return Constraint(target, found, empty if kl < _LEAST else "")
    where = "above" if found > target else "below"
    said = f"R was {found:.4g} in the last tenth of the run, {where} its target of {target:.4g}: "
    return Constraint(target, found, said + _reason(log, kl, found > target))


def _reason(log: Sequence[Mapping[str, Any]], kl: float, above: bool) -> str:
    half = log[len(log) // 2]["beta"]
    falling = None not in (half, log[-1]["beta"]) and log[-1]["beta"] < half
    if above and falling:
        return (
            "beta fell all the while, and the network did not reconstruct better. Train longer, "
            "or raise the target."
        )
    if above:
        return "beta has not fallen yet. Train longer, or raise the target."
    if kl < _LEAST:
        return (
            f"the code carries {kl:.2g} nats, and a constant image would do. Lower the target; if "
            "it was measured, train longer."
        )
    return "beta has not risen far enough yet. Train longer, or lower the target."
