"""Schedules: pure functions of the step, which counts from 0, for weights and set points."""

import math
import operator
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Annotated

from autobeta.rules import Count, Finite, Positive, Range, Share, checked

Schedule = Callable[[int], float]


def check_schedule(name: str, schedule: object) -> None:
    """Refuse what is no function of the step."""
    if not callable(schedule):
        raise TypeError(
            f"`{name}` must be a function of the step; got {schedule!r}. For a number take "
            "schedules.constant(number)."
        )


def value_at(schedule: Schedule, step: int) -> float:
    """What a schedule says at a step; a ValueError if that is not finite."""
    if not isinstance(step, Real):
        try:
            step = operator.index(step)  # of a tensor that holds one, say
        except (TypeError, RuntimeError) as error:
            raise TypeError(
                f"`step` must be a whole number, counted from 0; got {step!r}."
            ) from error
    value = schedule(step)
    if not math.isfinite(value):
        raise ValueError(f"a schedule must return finite numbers; got {value} at step {step}.")
    return value


@checked
def constant(value: Finite) -> Schedule:
    """The same value at every step.

    Example:
        >>> constant(4.0)(1000)
        4.0
    """
    return partial(_constant, value)


def _constant(value: float, step: int) -> float:  # closures could not be pickled
    del step
    return value


@checked
def linear(start: Finite, end: Finite, *, steps: Count) -> Schedule:
    """From `start` to `end` in a straight line over `steps` steps, then `end`.

    Example:
        >>> linear(0.0, 10.0, steps=100)(50)
        5.0
    """
    return partial(_linear, start, end, steps)


def _linear(start: float, end: float, steps: int, step: int) -> float:
    return start + (end - start) * min(step / steps, 1.0)


@checked
def exponential(start: Positive, end: Positive, *, begin: int, end_step: int) -> Schedule:
    """`start` until step `begin`, then by the same factor in each step to `end` at `end_step`.

    Example:
        >>> [round(exponential(0.1, 10.0, begin=2, end_step=4)(step), 3) for step in range(6)]
        [0.1, 0.1, 0.1, 1.0, 10.0, 10.0]
    """
    if not end_step > begin:
        raise ValueError(f"`end_step` must be after `begin`; got {end_step} and {begin}.")
    return partial(_exponential, start, end, begin, end_step)


def _exponential(start: float, end: float, begin: int, end_step: int, step: int) -> float:
    passed = min(max((step - begin) / (end_step - begin), 0.0), 1.0)
    return start ** (1 - passed) * end**passed


@checked
def cyclical(end: Finite, *, period: Annotated[float, Range(1)], rising: Share) -> Schedule:
    """From 0 to `end` in a straight line over the fraction `rising` of each period, then held.

    Source:
        Fu et al., Cyclical Annealing Schedule, 2019, eq. 6 and 7, https://arxiv.org/abs/1903.10145

    Example:
        >>> [cyclical(1.0, period=100.0, rising=0.5)(step) for step in (0, 25, 50, 99, 100)]
        [0.0, 0.5, 1.0, 1.0, 0.0]
    """
    return partial(_cyclical, end, period, rising)


def _cyclical(end: float, period: float, rising: float, step: int) -> float:
    # rounded, so that a cycle's first step is not left to the cycle before
    return end * min(round(step / period, 9) % 1 / rising, 1.0)


def staircase(start: float, end: float, *, increment: float, period: int) -> Schedule:
    """Up by `increment` with every `period`-th step, until `end` is reached.

    Source:
        ControlVAE's set point, Shao et al. 2020, https://arxiv.org/abs/2004.05988, as in the
        authors' code.

    Example:
        >>> [staircase(0.5, 20.0, increment=0.15, period=500)(step) for step in (498, 499)]
        [0.5, 0.65]
    """
    return hybrid(start, end, increment=increment, period=period, ramp=1)


@checked
def hybrid(
    start: Finite, end: Finite, *, increment: Positive, period: Count, ramp: Count
) -> Schedule:
    """Hybrid annealing: every `period` steps up by `increment` over `ramp` steps, then held.

    The first period is at `start`; `end` is never exceeded. A ramp longer than the period is a
    ValueError.

    Source:
        DynamicVAE's set point, Shao et al. 2020, https://arxiv.org/abs/2009.06795, as in the
        authors' solver, which counts steps from 1.
    """
    if ramp > period:
        raise ValueError(f"`ramp` must be in 1..`period`; got {ramp} and `period` {period}.")
    return partial(_hybrid, start, end, increment, period, ramp)


def _hybrid(
    start: float, end: float, increment: float, period: int, ramp: int, step: int
) -> float:
    periods, within = divmod(step + 1, period)
    if periods == 0:
        return start
    rises = periods - 1 + min(within + 1, ramp) / ramp
    return min(start + increment * rises, end)


@checked
def fitted_hybrid(
    start: Finite,
    end: Finite,
    *,
    num_steps: Count,
    rises: Count = 130,
    rising: Share = 0.9,
    share: Count = 6,
) -> Schedule:
    """Hybrid annealing whose last rise to `end` begins after the fraction `rising` of a run.

    The paper's proportions are kept: 130 rises on dSprites (0.5 to 20 nats by 0.15), each taking a
    sixth of its period, or less where the run would be over before. Where a period would be
    shorter than 6 steps there are fewer rises.

    `share` is that of periods over ramps. An `end` below `start` is the only value.
    """
    if end <= start:
        return constant(end)
    period = max(6, round(rising * num_steps / rises))
    number = max(1, int(rising * num_steps / period))
    increment = (end - start) / number
    ramp = max(1, min(period // share, num_steps - number * period))
    return hybrid(start, end, increment=increment, period=period, ramp=ramp)


def fitted_staircase(
    start: float, end: float, *, num_steps: int, rises: int, rising: float = 0.9
) -> Schedule:
    """A staircase that reaches `end` after a fraction of a run; arguments of `fitted_hybrid`."""
    # no period is so long that its ramp would take a second step
    return fitted_hybrid(
        start, end, num_steps=num_steps, rises=rises, rising=rising, share=num_steps + 6
    )
