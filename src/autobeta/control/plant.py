"""The plant's gain and lag, identified from the steps of the set point in a run's log."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Rows = Sequence[Mapping[str, Any]]

LAGS = np.geomspace(2, 400, 40)  # steps
LONGEST = 600  # steps after a rise that are looked at
_BEFORE = 3  # log lines before a rise that are taken with it
_HELD = 8  # log lines that a set point must be held after a rise


class Plant(NamedTuple):
    """How KL answers log beta."""

    gain: float
    """Nats of KL lost for each e-fold of beta."""
    lag: float
    """Time constant of the answer, steps."""
    explained: float
    """Fraction of the KL's variance about a line in each piece that this explains."""
    num_rises: int
    """Rises of the set point that it was found from."""


def identify(log: Rows) -> Plant:
    """Fit gain and lag to what KL and beta did after each rise of the set point.

    A piece of the log from shortly before a rise to the next, at most 600 steps, is described by
    the plant of `control.loop` with log beta as it was, an equilibrium that drifts along a line,
    and a start of its own; gain and lag are the same for all pieces. For each of a row of lags the
    others follow by linear least squares. The lines have `step`, `kl_average`, `target` and
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
            f"after each rise; got {len(pieces)} such rises. Train with few large rises and a "
            "line every 10 steps: --steps 10000 --method.increment 1.5 --log-every 10, and for "
            "dynamicvae --method.beta-hold 0."
        )
    every = pieces[0][1]["step"] - pieces[0][0]["step"]
    fits = [(*_fit(pieces, every, lag), lag) for lag in LAGS]
    unexplained, gain, lag = min(fits)
    if not gain > 0:
        raise ValueError(
            f"`log` must show KL fall as beta grows; got a gain of {gain:.2f} nats. "
            "The network learned faster than beta moved: take a later part, or train longer."
        )
    return Plant(gain=gain, lag=float(lag), explained=1 - unexplained, num_rises=len(pieces))


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


def _fit(pieces: Sequence[Rows], every: int, lag: float) -> tuple[float, float]:
    """Fraction of the variance left, and the gain, for one lag."""
    from scipy.signal import lfilter

    cross = power = total = 0.0
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
        cross, power, total = cross + answer @ y, power + answer @ answer, total + y @ y
    gain = -cross / power
    return float((total + 2 * gain * cross + gain**2 * power) / total), float(gain)


def _lines(values: Float[np.ndarray, " steps"], every: int) -> Float[np.ndarray, " lines"]:
    """Means over the steps between two lines of the log."""
    return values.reshape(-1, every).mean(axis=1)
