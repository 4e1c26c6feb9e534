"""Recipe: the objects of a method, and what a method module must define.

A method module holds, in this order: a docstring, `SOURCE`, `CITATION` (BibTeX), `ADAPTS` (what
sets the weights), a frozen keyword-only dataclass `Config(Settings)`, `PRESETS`, and
`build(config, facts) -> Recipe`. A preset is a dictionary of settings published together: fields
of `Config`, and of the run's model and training.
"""

import warnings
from dataclasses import dataclass
from typing import Annotated, Any

from autobeta.models import AbstractLikelihood
from autobeta.objectives import AbstractObjective
from autobeta.settings import Range, check_settings
from autobeta.weighting import AbstractWeighting, schedules
from autobeta.weighting.schedules import Schedule

# Rules of settings. float32 has to hold what a weight or a number of nats is multiplied with.
Weight = Annotated[float, Range(0, 1e9)]
PositiveWeight = Annotated[float, Range(1e-9, 1e9)]
IntegralGain = Annotated[float, Range(-1e9, 0)]
Rise = Annotated[float, Range(1e-3, 1e9)]
LearningRate = Annotated[float, Range(0, 1)]
Share = Annotated[float, Range(0, 1, above=True)]
Window = Annotated[int, Range(1, 10_000)]


class Settings:
    """Base of a method's `Config`: a number that breaks the rule in its annotation is refused."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a method may know about its run.

    Args:
        num_latents: Number of latents.
        num_train: Number of training images.
        image_shape: (height, width, channels).
        num_steps: Length of the run.
        likelihood: p(x|z) that the run has, unless the recipe brings its own.
    """

    num_latents: int
    num_train: int
    image_shape: tuple[int, int, int]
    num_steps: int
    likelihood: AbstractLikelihood


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The objects that make a method.

    Args:
        objective: Counts the terms.
        weighting: Turns them into a loss.
        weighting_lr: Learning rate of the weighting's own parameters; None takes the network's.
        likelihood: p(x|z) where the method brings its own; None takes the run's.
    """

    objective: AbstractObjective
    weighting: AbstractWeighting
    weighting_lr: float | None = None
    likelihood: AbstractLikelihood | None = None


def set_point(config: Any, facts: Facts, *, ramp: int | None = None) -> Schedule:  # noqa: ANN401
    """The schedule that the settings of ControlVAE or DynamicVAE ask for.

    Args:
        config: Of either method.
        facts: About the run.
        ramp: Steps of a published rise, for DynamicVAE.
    """
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
    """Warn of a published schedule that a run is too short for: its numbers, and the way out.

    Args:
        schedule: In nats, rising to `end`.
        end: What it is meant to reach.
        facts: About the run.
    """
    last = schedule(facts.num_steps - 1)
    if last >= 0.95 * end:
        return
    low, high = facts.num_steps, 2 * facts.num_steps
    while schedule(high) < end:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if schedule(middle) >= end else (middle, high)
    warnings.warn(
        f"`schedule` paper reaches {last:.3g} of {end:g} nats in a run of {facts.num_steps:,} "
        f"steps; it needs {high + 1:,}. Train so long, or take --method.schedule fitted, which "
        "has the same shape within the run.",
        stacklevel=2,
    )
