"""Linear analysis of the loop that holds KL at a set point: poles, margin, damping, overshoot.

The plant is the network: near an operating point its KL follows the controlled variable u (log
beta for LogPI, beta for the others) with a gain b and a first-order lag,

    y_(k+1) = y_k + a (c - b u_k - y_k),   a = 1 - exp(-1 / lag)

The controller sees the error e of the mean of the last T values of y and does

    u_k = u_(k-1) + kp (e_(k-1) - e_k) - ki e_k

which is `LogPI` itself, and `IncrementalPI` and `PositionalPI` near e = 0, where their sigmoid has
the slope -1/4. In the backward shift q the closed loop has the characteristic polynomial

    (1 - q) (1 - (1 - a) q) + a b q^(1+d) (kp (1 - q) + ki) (1 + q + ... + q^(T-1)) / T

with d the dead time, steps.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Complex, Float

from autobeta.rules import Count, NonNegative, Positive, Range, Settings, checked

_LARGEST = 1e9  # a margin above this is called infinite


@dataclass(frozen=True, kw_only=True)
class Loop(Settings):
    """Plant and controller near an operating point.

    `gain` is b, nats of KL lost for each unit of the controlled variable; `lag` is in steps, 0 for
    none. `kp`, per nat, is that of LogPI, or a quarter of that of IncrementalPI and PositionalPI;
    `ki`, per nat and step, is positive here. `window` is T, 1 for PositionalPI. `dead` is d, the
    steps before the plant begins to answer.

    Example:
        >>> round(damping(Loop(gain=7.0, lag=50.0, kp=0.2, ki=0.004, window=5)), 2)
        1.0
    """

    gain: Positive
    lag: NonNegative
    kp: NonNegative
    ki: Positive
    window: Count = 1
    dead: Annotated[int, Range(0)] = 0

    @property
    def follow(self) -> float:
        """a, the share of the distance to equilibrium that the plant covers in a step."""
        return 1 - math.exp(-1 / self.lag) if self.lag > 0 else 1.0


@checked
def suggest_gains(gain: Positive, lag: Positive, *, settling: Positive) -> tuple[float, float]:
    """Kp and ki for which a plant's KL follows its set point without overshoot.

    kp / ki = (1 - a) / a cancels the plant's lag, so that the loop is of first order with the time
    constant 1 / (gain * ki).

    `gain` and `lag` are the plant's, as for `Loop`; `settling` is the time constant that is wanted
    of the loop, steps: not much below the lag, or the noise of the batches moves beta more than
    the set point does.

    Example:
        >>> kp, ki = suggest_gains(7.0, 50.0, settling=50.0)
        >>> overshoot(Loop(gain=7.0, lag=50.0, kp=kp, ki=ki))
        0.0
    """
    ki = 1 / (gain * settling)
    return ki / math.expm1(1 / lag), ki


def poles(loop: Loop) -> Complex[np.ndarray, " poles"]:
    """Poles of the closed loop in the z-plane, the slowest (largest) first.

    Source:
        Ours; for T = 1 and no lag it is the analysis by Jury's test of z^2 - (1 - p - q) z - p
        with p = b kp, q = b ki.

    Example:
        >>> poles(Loop(gain=10.0, lag=0.0, kp=0.0, ki=0.05)).round(2) + 0
        array([0.5+0.j, 0. +0.j])
    """
    found = np.roots(_characteristic(loop)).astype(complex)
    return found[np.argsort(-np.abs(found))]


def is_stable(loop: Loop) -> bool:
    """Whether every disturbance dies out: all poles within the unit circle."""
    return bool(np.abs(poles(loop)).max() < 1)


def gain_margin(loop: Loop) -> float:
    """By what factor the plant's gain may grow before the loop is unstable.

    Below 1 it is unstable already; infinite if no gain makes it so. Of a plant of known gain it is
    the factor that both of the controller's gains may grow by.
    """
    low, high = 0.0, 1.0
    while is_stable(_scaled(loop, high)):
        low, high = high, 2 * high
        if high > _LARGEST:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_stable(_scaled(loop, middle)) else (low, middle)
    return low


def damping(loop: Loop) -> float:
    """Damping ratio of the least damped pair of poles: 1 or more is none that swings, 0 the edge.

    A pole z is that of a second-order system with s = log z, whose ratio is -Re s / |s|. Negative
    if the loop is unstable. Poles that die out within two steps are left out.
    """
    found = poles(loop)
    slow = found[np.abs(found) > math.exp(-0.5)]
    if not len(slow):
        return 1.0
    logs = np.log(slow)
    sizes = np.maximum(np.abs(logs), np.finfo(float).tiny)
    return float((-logs.real / sizes).min())


def step_response(loop: Loop, num_steps: int) -> Float[np.ndarray, " steps"]:
    """KL of a loop in equilibrium over the steps after its set point rose from 0 to 1."""
    y, u, last = 0.0, 0.0, 0.0
    waiting = [0.0] * loop.dead
    recent, found = np.zeros(loop.window), np.empty(num_steps)
    for k in range(num_steps):
        found[k] = y
        recent[k % loop.window] = y
        error = 1.0 - recent.mean()
        u += loop.kp * (last - error) - loop.ki * error
        last = error
        waiting.append(u)
        y += loop.follow * (-loop.gain * waiting.pop(0) - y)
    return found


def overshoot(loop: Loop, num_steps: int | None = None) -> float:
    """Largest excess over the set point after a step of it, as a fraction of the step.

    It is 0 if KL never exceeds the set point; infinite if the loop is unstable. Left out,
    `num_steps` are as many as the slowest pole needs to die out, at most 20,000.
    """
    if not is_stable(loop):
        return math.inf
    if num_steps is None:
        slowest = max(float(np.abs(poles(loop)).max()), 1e-3)
        num_steps = int(min(20_000, 50 + loop.window + 8 / -math.log(slowest)))
    return max(0.0, float(step_response(loop, num_steps).max()) - 1)


def _characteristic(loop: Loop) -> Float[np.ndarray, " coefficients"]:
    """Coefficients of the characteristic polynomial, highest power of z first."""
    a = loop.follow
    plant = np.convolve([1.0, -1.0], [1.0, a - 1.0])
    answer = a * loop.gain * np.array([loop.kp + loop.ki, -loop.kp])
    controller = np.concatenate([np.zeros(1 + loop.dead), answer])
    total = np.convolve(controller, np.full(loop.window, 1 / loop.window))  # longer, or as long
    total[: len(plant)] += plant
    return total


def _scaled(loop: Loop, factor: float) -> Loop:
    return dataclasses.replace(loop, gain=loop.gain * max(factor, np.finfo(float).tiny))
