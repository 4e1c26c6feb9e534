"""How well the KL of a run followed its set point, from the run's log."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Lines = Float[np.ndarray, " lines"]

WARMUP = 0.1  # of the run, left out
NEAR = 0.5  # nats
_SETTLED = 0.25  # nats
_LINE = 20  # steps that a line counts for at least
_SATURATED = 0.05  # of the run at a bound, from which it is spoken of
_STAYS = 5  # log lines for which a settled KL stays so
_HELD = 3  # log lines that a set point must be held at least
_SMOOTH = 25  # log lines of the moving average that swings are counted from
_SWINGS = -0.4  # autocorrelation at half a period from which a run is said to swing


class Tracking(NamedTuple):
    """KL against its set point, after the first tenth of a run.

    Each value is of means over the steps between two lines of the log, or over 20 where it has
    more lines, of KL and set point alike: swings shorter than that are not seen, nor is the noise
    of single batches.
    """

    near: float
    """Fraction of the lines within 0.5 nats of the set point."""
    error: float
    """Root mean square distance, nats."""
    excess: float
    """Largest KL above the set point, nats."""
    lack: float
    """Largest KL below it, nats."""
    overshoot: float
    """Largest KL over the largest set point, less 1; at least 0."""
    settling: float | None
    """Median steps after a rise of the set point until KL is within 0.25 nats for five lines, or
    for as long as the set point is held; None where it is never held for three lines after a rise,
    infinite where KL does not settle."""
    at_bound: float
    """Fraction of the lines with beta at a bound."""
    at_max: float
    """Fraction of them with beta at the upper bound."""
    period: float | None
    """Steps of a swing; None if the error has none."""
    swing: float
    """Standard deviation of the error about its own moving average, nats."""


def tracking(
    log: Sequence[Mapping[str, Any]], *, beta_min: float = -np.inf, beta_max: float = np.inf
) -> Tracking | None:
    """Numbers of a run's log; None if it has no set point or fewer than four lines.

    Lines have `step`, `kl_average`, `target` and `beta`; bounds are left out where there are none.

    Example:
        >>> lines = [
        ...     {"step": 20 * (i + 1), "kl_average": 5.1, "target": 5.0, "beta": 2.0}
        ...     for i in range(50)
        ... ]
        >>> found = tracking(lines)
        >>> found.near, round(found.error, 3), found.settling
        (1.0, 0.1, None)
    """
    rows = [row for row in log if row["step"] > WARMUP * log[-1]["step"]]
    if len(rows) < 4 or any(row.get("target") is None for row in rows):
        return None
    names = ("step", "kl_average", "target", "beta")
    values = [np.array([row[name] for row in rows], float) for name in names]
    values.append(_means(log, values[2]))
    step, kl, target, beta, wanted = _merged(values, log)
    error = kl - wanted
    at_max = beta >= 0.999 * beta_max
    ripple = error - _moving_average(error)
    period = _period(ripple)
    return Tracking(
        near=float(np.mean(np.abs(error) < NEAR)),
        error=float(np.sqrt(np.mean(error**2))),
        excess=float(max(0.0, error.max())),
        lack=float(max(0.0, -error.min())),
        overshoot=float(max(0.0, kl.max() / target.max() - 1)) if target.max() > 0 else 0.0,
        settling=_settling(step, error, target),
        at_bound=float(np.mean((beta <= 1.001 * beta_min) | at_max)),
        at_max=float(np.mean(at_max)),
        period=None if period is None else period * float(np.median(np.diff(step))),
        swing=float(ripple.std()),
    )


def advice(found: Tracking, *, beta_min: float = -np.inf, beta_max: float = np.inf) -> list[str]:
    """What to try where a run tracked badly, a sentence each; none if it tracked well.

    The bounds are those that `tracking` had.
    """
    said: list[str] = []
    if found.near >= 0.9 and found.overshoot < 0.1 and found.at_bound < _SATURATED:
        return said
    at_min = found.at_bound - found.at_max
    if at_min >= _SATURATED:
        said.append(
            f"beta was at its lower bound, {beta_min:g}, in {at_min:.0%} of the run: the network "
            "can't hold that many nats yet. Lower the set point, let it rise more slowly, or "
            "lower beta_min."
        )
    if found.at_max >= _SATURATED:
        said.append(
            f"beta was at its upper bound, {beta_max:g}, in {found.at_max:.0%} of the run: KL "
            "can't be brought down to so few nats. Raise the set point, or the controller's "
            "beta_max."
        )
    if found.period is not None and found.swing > NEAR / 2:
        said.append(
            f"KL swings with a period of about {found.period:.0f} steps, {found.swing:.2f} nats "
            "about its mean: the loop is too quick for this network. Take larger batches or a "
            "lower learning rate, and where gains are set, halve them."
        )
    elif found.lack > found.excess and at_min < _SATURATED:  # a bound has its own sentence
        said.append(
            f"KL lags by up to {found.lack:.2f} nats: the set point rises faster than the network "
            "learns. Raise `rising`, or train longer."
        )
    elif found.excess > max(NEAR, found.lack) and found.at_max < _SATURATED:
        said.append(
            f"KL runs ahead by up to {found.excess:.2f} nats: beta falls too late. Start beta "
            "higher, or raise the integral gain where it is set."
        )
    return said


def _means(log: Sequence[Mapping[str, Any]], target: Lines) -> Lines:
    """The set point's means over the steps between two lines, which KL's means are held against.

    A line has the set point of its last step; in between it is taken to rise steadily.
    """
    earlier = [row.get("target") for row in log[: -len(target)][-1:]]
    first = target[0] if not earlier or earlier[0] is None else earlier[0]
    return (np.concatenate([[first], target[:-1]]) + target) / 2


def _merged(
    values: list[Lines], log: Sequence[Mapping[str, Any]]
) -> list[Float[np.ndarray, " merged"]]:
    """Step, KL, set point, beta and mean set point of so many lines together as make 20 steps.

    KL and mean set point are averaged; of the others the last line counts, as in a log.
    """
    every = float(np.median(np.diff([0, *(row["step"] for row in log)])))
    size = min(max(1, round(_LINE / every)), len(values[0]) // 4)
    if size == 1:
        return values
    kept = [line[len(line) % size :].reshape(-1, size) for line in values]
    return [lines.mean(axis=1) if i in (1, 4) else lines[:, -1] for i, lines in enumerate(kept)]


def _moving_average(values: Lines) -> Lines:
    ones = np.ones(min(_SMOOTH, len(values)))
    counts = np.convolve(np.ones(len(values)), ones, "same")
    return np.convolve(values, ones, "same") / counts


def _period(ripple: Lines) -> float | None:
    """Lines of a swing: twice the lag at which a ripple is most unlike itself."""
    power = float(ripple @ ripple)
    if power == 0:
        return None
    lags = range(1, min(_SMOOTH, len(ripple) - 1))
    alike = np.array([float(ripple[lag:] @ ripple[:-lag]) / power for lag in lags])
    # the moving average alone makes lines unlike their neighbours' neighbours, but less
    if not len(alike) or alike.min() > _SWINGS:
        return None
    period = 2.0 * (int(alike.argmin()) + 1)
    return period if 2 * period <= len(ripple) else None  # once is no swing, but a rise or a fall


def _settling(step: Lines, error: Lines, target: Lines) -> float | None:
    found = []
    edges = (np.flatnonzero(np.diff(target)) + 1).tolist()  # first line of another set point
    for begin, end in zip(edges, [*edges[1:], len(target)], strict=False):
        if end - begin < _HELD or target[begin] <= target[begin - 1]:
            continue
        small = np.abs(error[begin:end]) < _SETTLED
        settled = [i for i in range(len(small) - _HELD + 1) if small[i : i + _STAYS].all()]
        found.append(step[begin + settled[0]] - step[begin] if settled else np.inf)
    return float(np.median(found)) if found else None
