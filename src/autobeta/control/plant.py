"""The plant's gain and lag, identified from the steps of the set point in a run's log."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Rows = Sequence[Mapping[str, Any]]

LAGS = np.geomspace(2, 400, 40)  # steps
LONGEST = 600  # steps after a rise that are looked at
_STATE = "weighting.controller."  # of what the log says
_BEFORE = 3  # log lines before a rise that are taken with it
_HELD = 8  # log lines that a set point must be held after a rise


class Plant(NamedTuple):
    """How KL answers log beta."""

    gain: float
    """Nats of KL lost for each e-fold of beta."""
    lag: float
    """Time constant of the answer, steps."""
    gain_error: float
    """Standard error of the gain, nats."""
    lag_error: float
    """Standard error of the lag, steps."""
    explained: float | None = None
    """Fraction of the KL's variance about a line in each piece that this explains; None where a
    controller identified it."""
    num_rises: int = 0
    """Rises of the set point that it was found from."""


def found_by_controller(log: Rows) -> Plant | None:
    """The plant that a self-tuning controller found: medians over the last quarter of the log.

    None if the run's controller identifies none.
    """
    names = ("gain", "lag", "gain_error", "lag_error")
    late = [row.get("state", {}) for row in log[-max(1, len(log) // 4) :]]
    values = [[state.get(f"{_STATE}plant_{name}") for name in names] for state in late]
    if not values or any(None in row for row in values):
        return None
    return Plant(*np.median(np.array(values, float), axis=0).tolist())


def gains_in_force(log: Rows) -> dict[str, float] | None:
    """Gains kp and ki of a self-tuning controller: medians over the last quarter of the log."""
    late = [row.get("state", {}) for row in log[-max(1, len(log) // 4) :]]
    names = {"kp": "proportional", "ki": "integral"}
    values = {key: [state.get(_STATE + name) for state in late] for key, name in names.items()}
    if not late or any(None in row for row in values.values()):
        return None
    return {key: float(np.median(row)) for key, row in values.items()}


def identify(log: Rows) -> Plant:
    """Fit gain and lag to what KL and beta did after each rise of the set point.

    A piece of the log from shortly before a rise to the next, at most 600 steps, is described by
    the plant of `control.loop` with log beta as it was, an equilibrium that drifts along a line,
    and a start of its own; gain and lag are the same for all pieces. For each of a row of lags the
    others follow by linear least squares; the errors are the jackknife's over the pieces. The
    lines have `step`, `kl_average`, `target` and
    `beta`, and are evenly spaced.

    A set point that does not rise and hold often enough, or a KL that does not fall as beta grows,
    is a ValueError.

    Source:
        Ours. On simulated loops with noise of 0.3 nats in each batch it is within 10 % of the gain
        and 30 % of the lag, if the lag is longer than the distance of two lines
        (`tests/control/test_plant.py`).
    """
    pieces = _pieces(log)
    if len(pieces) < 3:
        raise ValueError(
            f"`log` must have a set point that rises three times and is held for {_HELD} lines "
            f"after each rise; got {len(pieces)} such rises. Take a controller that identifies "
            "its plant itself, --method.controller selftuning, or train with few large rises and "
            "a line every 10 steps: --steps 10000 --method.increment 1.5 --log-every 10, and for "
            "dynamicvae --method.beta-hold 0."
        )
    every = pieces[0][1]["step"] - pieces[0][0]["step"]
    sums = np.array([_sums(pieces, every, lag) for lag in LAGS])
    unexplained, gain, lag = _best(sums.sum(axis=1))
    if not gain > 0:
        raise ValueError(
            f"`log` must show KL fall as beta grows; got a gain of {gain:.2f} nats. "
            "The network learned faster than beta moved: take a later part, or train longer."
        )
    left_out = [_best(np.delete(sums, i, axis=1).sum(axis=1)) for i in range(len(pieces))]
    gain_error, lag_error = (_jackknife([fit[i] for fit in left_out]) for i in (1, 2))
    return Plant(gain, lag, gain_error, lag_error, 1 - unexplained, len(pieces))


def _pieces(log: Rows) -> list[Rows]:
    target = np.array([math.nan if r.get("target") is None else r["target"] for r in log], float)
    moves = np.flatnonzero(np.diff(target)) + 1
    begins = [i for i in moves.tolist() if i - 1 not in moves and target[i] > target[i - 1]]
    found = []
    for begin, end in zip(begins, [*begins[1:], len(log)], strict=False):
        rises = int(np.sum((moves >= begin) & (moves < end)))
        if begin > _BEFORE and end - begin - rises >= _HELD:
            every = log[begin]["step"] - log[begin - 1]["step"]
            found.append(log[begin - _BEFORE : min(end, begin + LONGEST // every)])
    return found


def _sums(pieces: Sequence[Rows], every: int, lag: float) -> list[tuple[float, float, float]]:
    """Of each piece, for one lag: answer times KL, answer squared, KL squared, off their lines."""
    from scipy.signal import lfilter

    found = []
    follow = 1 - math.exp(-1 / lag)
    for piece in pieces:
        u = np.log([row["beta"] for row in piece])
        y = np.array([row["kl_average"] for row in piece[1:]])
        steps = np.arange(len(y) * every)
        moved = np.interp(steps, np.arange(len(u)) * every, u - u[0])
        answer = _lines(lfilter([follow], [1, follow - 1], moved), every)
        start = _lines((1 - follow) ** steps, every)
        free = np.stack([np.ones(len(y)), np.linspace(0, 1, len(y)), start], axis=1)
        basis, _ = np.linalg.qr(free)
        answer, y = (part - basis @ (basis.T @ part) for part in (answer, y))
        found.append((float(answer @ y), float(answer @ answer), float(y @ y)))
    return found


def _best(sums: Float[np.ndarray, "lags 3"]) -> tuple[float, float, float]:
    """Fraction of the variance left, gain and lag of the lag that leaves least."""
    cross, power, total = sums.T
    gain = -cross / power
    left = (total + 2 * gain * cross + gain**2 * power) / total
    best = int(left.argmin())
    return float(left[best]), float(gain[best]), float(LAGS[best])


def _jackknife(values: Sequence[float]) -> float:
    """Standard error from the values that leaving out each piece gives."""
    return float(np.sqrt((len(values) - 1) * np.var(values)))


def _lines(values: Float[np.ndarray, " steps"], every: int) -> Float[np.ndarray, " lines"]:
    """Means over the steps between two lines of the log."""
    return values.reshape(-1, every).mean(axis=1)
