"""Recipe: the objects of a method, and what a method module must define.

A method module holds, in this order: a docstring, `SOURCE`, `CITATION` (BibTeX), `ADAPTS` (what
sets the weights), `PRESETS` (settings published together: fields of `Config`, and of the run's
model and training), a frozen keyword-only dataclass `Config(Settings)`, and
`build(config, facts) -> Recipe`.
"""

import bisect
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autobeta.models import AbstractLikelihood
from autobeta.objectives import AbstractObjective
from autobeta.types import Images
from autobeta.weighting import AbstractWeighting, schedules
from autobeta.weighting.schedules import Schedule


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a method may know about its run."""

    num_latents: int
    num_train: int
    image_shape: tuple[int, int, int]
    """(height, width, channels)."""
    num_steps: int
    likelihood: AbstractLikelihood
    """p(x|z) that the run has, unless the recipe brings its own."""
    images: Callable[[int], Images] | None = None
    """A seeded sample of at most so many training images, shape (count, C, H, W); None where the
    data are not at hand, as when a finished run is loaded."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The objects that make a method."""

    objective: AbstractObjective
    weighting: AbstractWeighting
    weighting_lr: float | None = None
    """Learning rate of the weighting's own parameters; None takes the network's."""
    weighting_betas: tuple[float, float] | None = None
    """Adam's betas for them; None takes the network's, 0.9 and 0.999."""
    likelihood: AbstractLikelihood | None = None
    """p(x|z) where the method brings its own; None takes the run's."""


def quickest_rise(num_steps: int) -> float:
    """Fraction of a run in which a network can learn what a set point rises to.

    That is 1,000 steps, but at most 0.8.
    """
    return min(0.8, 1000 / num_steps)


def set_point(config: Any, facts: Facts, *, ramp: int | None = None) -> Schedule:  # noqa: ANN401
    """The schedule that the settings of ControlVAE or DynamicVAE (with a `ramp`) ask for."""
    start, end = config.target_start, config.target
    if config.schedule == "constant":
        return schedules.constant(end)
    if config.schedule == "fitted":
        rises = max(1, round((end - start) / config.increment))
        fitted = schedules.fitted_staircase if ramp is None else schedules.fitted_hybrid
        return fitted(start, end, num_steps=facts.num_steps, rises=rises, rising=config.rising)
    published = schedules.hybrid(
        start, end, increment=config.increment, period=config.period, ramp=ramp or 1
    )
    warn_unfinished(published, end, facts)
    return published


def warn_unfinished(schedule: Schedule, end: float, facts: Facts) -> None:
    """Warn of a published schedule, rising to `end` nats, that a run is too short for."""
    last = schedule(facts.num_steps - 1)
    if last >= 0.95 * end:
        return
    needed = bisect.bisect_left(range(sys.maxsize), end, key=schedule) + 1
    warnings.warn(
        f"`schedule` paper reaches {last:.3g} of {end:g} nats in a run of {facts.num_steps:,} "
        f"steps; it needs {needed:,}. Train so long, or take --method.schedule fitted, which "
        "has the same shape within the run.",
        stacklevel=2,
    )
