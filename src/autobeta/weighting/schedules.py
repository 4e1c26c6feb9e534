"""Schedules: pure functions of the step, which counts from 0, for weights and set points."""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def value_at(schedule: Schedule, step: int) -> float:
    """What a schedule says at a step.

    Raises:
        ValueError: If that is not finite.
    """
    value = schedule(step)
    if not math.isfinite(value):
        raise ValueError(f"a schedule must return finite numbers; got {value} at step {step}.")
    return value


def _check_finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"`{name}` must be finite; got {value}.")


def constant(value: float) -> Schedule:
    """The same value at every step.

    Example:
        >>> constant(4.0)(1000)
        4.0
    """
    _check_finite(value=value)

    def schedule(step: int) -> float:
        del step
        return value

    return schedule


def linear(start: float, end: float, *, steps: int) -> Schedule:
    """From `start` to `end` in a straight line over `steps` steps, then `end`.

    Raises:
        ValueError: If `steps` is below 1.

    Example:
        >>> linear(0.0, 10.0, steps=100)(50)
        5.0
    """
    _check_finite(start=start, end=end)
    if not steps >= 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")

    def schedule(step: int) -> float:
        return start + (end - start) * min(step / steps, 1.0)

    return schedule


def exponential(start: float, end: float, *, begin: int, end_step: int) -> Schedule:
    """`start` until step `begin`, then by the same factor in each step to `end`, then held.

    Args:
        start: First value, positive.
        end: Last value, positive.
        begin: Last step with `start`.
        end_step: First step with `end`.

    Raises:
        ValueError: If a value is not positive, or `end_step` is not after `begin`.

    Example:
        >>> [round(exponential(0.1, 10.0, begin=2, end_step=4)(step), 3) for step in range(6)]
        [0.1, 0.1, 0.1, 1.0, 10.0, 10.0]
    """
    _check_finite(start=start, end=end)
    if not min(start, end) > 0:
        raise ValueError(f"`start` and `end` must be positive; got {start} and {end}.")
    if not end_step > begin:
        raise ValueError(f"`end_step` must be after `begin`; got {end_step} and {begin}.")

    def schedule(step: int) -> float:
        passed = min(max((step - begin) / (end_step - begin), 0.0), 1.0)
        return start ** (1 - passed) * end**passed

    return schedule


def cyclical(end: float, *, period: float, rising: float) -> Schedule:
    """From 0 to `end` in a straight line over a part of each period, then held to its end.

    Args:
        end: Value at which each cycle is held.
        period: Steps of a cycle.
        rising: Fraction of the period that the rise takes.

    Raises:
        ValueError: If `period` is below 1 or `rising` is not in (0, 1].

    Source:
        Fu et al., Cyclical Annealing Schedule, 2019, eq. 6 and 7, https://arxiv.org/abs/1903.10145

    Example:
        >>> [cyclical(1.0, period=100.0, rising=0.5)(step) for step in (0, 25, 50, 99, 100)]
        [0.0, 0.5, 1.0, 1.0, 0.0]
    """
    _check_finite(end=end, period=period)
    if not period >= 1:
        raise ValueError(f"`period` must be at least 1 step; got {period}. Use fewer cycles.")
    _check_rising(rising)

    def schedule(step: int) -> float:
        return end * min(step % period / period / rising, 1.0)

    return schedule


def staircase(start: float, end: float, *, increment: float, period: int) -> Schedule:
    """Up by `increment` after every `period` steps, until `end` is reached.

    Raises:
        ValueError: If `period` is below 1 or `increment` is not positive.

    Source:
        ControlVAE's set point, Shao et al. 2020, https://arxiv.org/abs/2004.05988, as in the
        authors' code: the rise comes with the `period`-th step.

    Example:
        >>> [staircase(0.5, 20.0, increment=0.15, period=500)(step) for step in (498, 499)]
        [0.5, 0.65]
    """
    return hybrid(start, end, increment=increment, period=period, ramp=1)


def hybrid(start: float, end: float, *, increment: float, period: int, ramp: int) -> Schedule:
    """Hybrid annealing: every `period` steps up by `increment` over `ramp` steps, then held.

    Args:
        start: Value during the first period.
        end: Value that is never exceeded.
        increment: Rise per period.
        period: Steps from one rise to the next.
        ramp: Steps that a rise takes, at most `period`.

    Raises:
        ValueError: If `increment` is not positive, or 1 <= ramp <= period does not hold.

    Source:
        DynamicVAE's set point, Shao et al. 2020, https://arxiv.org/abs/2009.06795, as in the
        authors' solver, which counts steps from 1.
    """
    _check_finite(start=start, end=end, increment=increment)
    if not increment > 0:
        raise ValueError(f"`increment` must be positive; got {increment}. Use `constant` instead.")
    if not 1 <= ramp <= period:
        raise ValueError(f"`ramp` must be in 1..`period`; got {ramp} and `period` {period}.")

    def schedule(step: int) -> float:
        periods, within = divmod(step + 1, period)
        if periods == 0:
            return start
        rises = periods - 1 + min(within + 1, ramp) / ramp
        return min(start + increment * rises, end)

    return schedule


def fitted_hybrid(
    start: float, end: float, *, num_steps: int, rises: int = 130, rising: float = 0.9
) -> Schedule:
    """Hybrid annealing that reaches `end` after the fraction `rising` of a run.

    The paper's proportions are kept: 130 rises on dSprites (0.5 to 20 nats by 0.15), each taking a
    sixth of its period. Where a period would be shorter than 6 steps there are fewer rises.

    Args:
        start: First value.
        end: Last value; below `start` it is the only one.
        num_steps: Length of the run.
        rises: Number of rises.
        rising: Fraction of the run after which `end` is reached.

    Raises:
        ValueError: If `rising` is not in (0, 1], or a number below 1.
    """
    return _fitted(start, end, num_steps, rises, rising, part=6)


def fitted_staircase(
    start: float, end: float, *, num_steps: int, rises: int, rising: float = 0.9
) -> Schedule:
    """A staircase that reaches `end` after a fraction of a run; arguments of `fitted_hybrid`."""
    return _fitted(start, end, num_steps, rises, rising, part=None)


def _fitted(
    start: float, end: float, num_steps: int, rises: int, rising: float, *, part: int | None
) -> Schedule:
    """Rises of equal height, or fewer, in a fraction of a run; each takes a part of its period."""
    _check_finite(start=start, end=end)
    _check_rising(rising)
    if not (num_steps >= 1 and rises >= 1):
        raise ValueError(
            f"`num_steps` and `rises` must be at least 1; got {num_steps} and {rises}."
        )
    if end <= start:
        return constant(end)
    period = max(6, round(rising * num_steps / rises))
    increment = (end - start) / max(1, int(rising * num_steps / period))
    ramp = 1 if part is None else max(1, period // part)
    return hybrid(start, end, increment=increment, period=period, ramp=ramp)


def _check_rising(rising: float) -> None:
    if not 0 < rising <= 1:
        raise ValueError(f"`rising` must be in (0, 1]; got {rising}.")
