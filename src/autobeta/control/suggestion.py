"""Set point, schedule and bounds of beta for a data set, from the log of a pilot.

A pilot (`methods/pilot.py`) learns with a small beta and then raises it, so that it passes the
rate-distortion curve from many nats of KL to none. There -dR/dKL is beta.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Lines = Float[np.ndarray, " lines"]

_WINDOW = 0.6  # of log beta to both sides, from which a point of the curve is taken
_FEWEST = 8  # log lines in a window
_START = 0.05  # of the set point: where the schedule begins
HEADROOM = 1.4  # times the set point: where the set point has to wait
_FLOOR = 0.4  # of the beta at which the set point waits
_LEARNED = 0.1  # of the way from the reconstruction at no KL down to that at the set point
SLOWER = 15  # times the steps that the pilot took to get there
LONGEST = 0.3  # of the run: the longest rise
_EARLY = math.log(3.0)  # of log beta, until where a curve's reconstruction rises by some nats
_SLOPES = (1.0, 2.0, 4.0, 8.0)


class PilotLog(NamedTuple):
    """Columns of a pilot's log, each of shape (lines,)."""

    step: np.ndarray
    beta: np.ndarray
    kl: np.ndarray
    """Mean since the line before, nats per image."""
    reconstruction: np.ndarray
    """Of the line's batch, nats per image."""
    rising: np.ndarray
    """Whether beta has begun to rise."""


def read_pilot(log: Sequence[Mapping[str, Any]]) -> PilotLog:
    """Columns of a pilot's log, whose lines have `step`, `kl_average`, `beta` and `terms`."""
    names = ("step", "beta", "kl_average")
    step, beta, kl = (np.array([row[name] for row in log], float) for name in names)
    reconstruction = np.array([row["terms"]["reconstruction"] for row in log], float)
    return PilotLog(step, beta, kl, reconstruction, rising=beta > 1.001 * beta[0])


class Point(NamedTuple):
    """A point of the rate-distortion curve; KL and reconstruction are nats per image."""

    beta: float
    """Weight of the KL, the slope by theory."""
    kl: float
    reconstruction: float
    slope: float
    """-dR/dKL as measured around it, nats per nat."""
    error: float
    """Standard error of the slope, from the batches' noise."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What a pilot says about a data set."""

    target: float
    """Set point, nats: KL where the slope is 1, so that a nat of KL buys one of reconstruction."""
    slope: float
    """Measured slope there; far from 1, by its `error`, the pilot did not follow its own curve."""
    error: float
    """Standard error of the slope."""
    target_start: float
    """First set point, 5 % of the last."""
    beta_initial: float
    """beta at the first set point."""
    beta_hold: float
    """beta at which the pilot had 40 % more KL than the set point: with less than that a network
    can't use the nats yet, and the set point is to be held."""
    beta_min: float
    """Lower bound of beta, 0.4 of `beta_hold`."""
    learned: int
    """Steps until reconstruction was nine tenths of the way from no KL to the set point."""
    rise: int
    """Steps for the set point's rise, 15 times as many."""
    curve: tuple[Point, ...]
    """The largest KL first."""
    choices: tuple[Point, ...]
    """The curve at the slopes 1, 2, 4 and 8: smaller set points, and what they cost."""

    @property
    def caution(self) -> str:
        """Why the proposal is uncertain, and what to do; empty where the curve was measured."""
        measured = f"measured slope at the set point, {self.slope:.1f} +- {self.error:.1f},"
        if self.slope - 2 * self.error <= 0:
            return (
                f"The pilot shows no curve: its {measured} can't be distinguished from 0, and the "
                "set point is only the KL that it had at beta 1. Train the pilot several times as "
                "long (--steps), or with larger batches (--batch-size)."
            )
        if abs(self.slope - 1) > max(0.5, 2 * self.error):
            return (
                f"The pilot did not follow its own curve: its {measured} is far from 1. Train it "
                "several times as long (--steps)."
            )
        return ""

    def rising(self, num_steps: int) -> float:
        """Fraction of a run of `num_steps` steps in which the set point rises, at most 0.3."""
        return round(min(LONGEST, self.rise / num_steps), 3)

    def settings(self, num_steps: int) -> dict[str, dict[str, float]]:
        """Settings of a run of `num_steps` steps, by method."""
        rising = self.rising(num_steps)
        plan = {"target_start": self.target_start, "target": self.target, "rising": rising}
        bounds = {name: getattr(self, name) for name in ("beta_initial", "beta_hold", "beta_min")}
        return {
            "dynamicvae": plan | bounds,
            "controlvae": plan | {"beta_min": self.beta_hold},
            "annealedvae": {"capacity": self.target, "rising": rising},
        }


def suggest(log: Sequence[Mapping[str, Any]]) -> Suggestion:
    """Read a set point, a schedule and bounds from a pilot's log, as `read_pilot` takes it.

    It needs at least 8 lines for each 1.2 e-folds of beta. A log that passes neither the slope 1
    nor a KL near 0, shows no curve, or a network that learned nothing at beta 1, is a ValueError.

    Source:
        Ours. That -dR/dKL is beta at the optimum of R + beta KL is Alemi et al., Fixing a Broken
        ELBO, 2018, https://arxiv.org/abs/1711.00464. The factors were set on dSprites; how good
        the set points are: `reproductions/suggest/`.
    """
    pilot = read_pilot(log)
    rising = pilot.rising
    u, reconstruction = np.log(pilot.beta[rising]), pilot.reconstruction[rising]
    curve = _curve(u, pilot.kl[rising], reconstruction)
    _check_rise(u, reconstruction)
    at_one = _at_beta(curve, 1.0)
    if not at_one.kl > 1:
        raise ValueError(
            f"`log` must show a network that uses some nats at beta 1; got {at_one.kl:.2f}. "
            "Train the pilot longer, or with another network or learning rate."
        )
    target = round(2 * at_one.kl) / 2
    start = round(_START * target, 2)
    most = _at_kl(curve, start).beta
    hold = _at_kl(curve, min(HEADROOM * target, curve[0].kl)).beta
    learned = _learned(pilot, at_one.reconstruction, curve[-1].reconstruction)
    return Suggestion(
        target=target,
        slope=at_one.slope,
        error=at_one.error,
        target_start=start,
        beta_initial=_two_digits(most),
        beta_hold=_two_digits(hold),
        beta_min=_two_digits(_FLOOR * hold),
        learned=learned,
        rise=SLOWER * learned,
        curve=curve,
        choices=tuple(_at_beta(curve, s) for s in _SLOPES if s < curve[-1].beta),
    )


def _curve(u: Lines, kl: Lines, reconstruction: Lines) -> tuple[Point, ...]:
    """Lines fitted to KL and reconstruction over log beta, in windows; KL falls along them."""
    found: list[Point] = []
    for centre in np.arange(u.min() + _WINDOW, u.max() - _WINDOW, 0.2) if len(u) else ():
        near = np.abs(u - centre) < _WINDOW
        if near.sum() < _FEWEST:
            continue
        falls, level, _ = _line(u[near] - centre, kl[near])
        costs, value, error = _line(u[near] - centre, reconstruction[near])
        if falls < 0 and (not found or level < found[-1].kl):
            found.append(Point(math.exp(centre), level, value, -costs / falls, -error / falls))
    if len(found) < 10 or found[0].beta > 1 or found[-1].kl > 0.1 * found[0].kl:
        reached = f"{len(found)} points"
        if found:
            a, b = found[0], found[-1]
            reached += f", beta {a.beta:.2g} to {b.beta:.2g}, KL {a.kl:.2f} to {b.kl:.2f}"
        raise ValueError(
            "`log` must be that of a pilot whose beta rises from below 1 until KL is nearly 0, "
            f"with {_FEWEST} lines for each {2 * _WINDOW:g} e-folds; got {reached}. "
            "Train the pilot several times as long (--steps), in a new folder, with a log line a "
            "step."
        )
    return tuple(found)


def _check_rise(u: Lines, reconstruction: Lines) -> None:
    early = u < _EARLY
    for near, wanted in ((early, "not fall"), (np.full(len(u), True), "rise")):
        slope, _, error = _line(u[near], reconstruction[near])
        if slope < (-2 if near is early else 2) * error:
            raise ValueError(
                f"`log` must show a curve, where reconstruction does {wanted} as beta rises to "
                f"{math.exp(u[near].max()):.2g}; got {slope:.1f} nats for each e-fold, standard "
                f"error {error:.1f}. The network was still learning while beta rose, or the "
                "batches differ too much: train the pilot several times as long (--steps)."
            )


def _line(x: Lines, y: Lines) -> tuple[float, float, float]:
    """Slope, value at 0 and standard error of the slope of a fitted line."""
    slope, level = np.polyfit(x, y, 1)
    left = y - level - slope * x
    error = math.sqrt(float(left @ left) / (len(x) - 2) / float(((x - x.mean()) ** 2).sum()))
    return float(slope), float(level), error


def _at_beta(curve: Sequence[Point], beta: float) -> Point:
    u = [math.log(point.beta) for point in curve]
    columns = list(zip(*curve, strict=True))[1:]
    return Point(beta, *(float(np.interp(math.log(beta), u, column)) for column in columns))


def _at_kl(curve: Sequence[Point], kl: float) -> Point:
    falling = curve[::-1]
    u = np.interp(kl, [p.kl for p in falling], [math.log(p.beta) for p in falling])
    return _at_beta(curve, math.exp(float(u)))


def _learned(pilot: PilotLog, low: float, high: float) -> int:
    """Steps until the reconstruction, a mean over five lines, was nearly at the set point's."""
    smooth = np.convolve(pilot.reconstruction, np.full(5, 0.2), "valid")
    enough = np.flatnonzero(smooth <= low + _LEARNED * (high - low))
    return int(pilot.step[enough[0] + 4] if len(enough) else pilot.step[-1])


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
