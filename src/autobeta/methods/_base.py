"""Recipe: the objects of a method, and what a method module must define.

A method module holds, in this order: a docstring, `SOURCE`, `CITATION` (BibTeX), `ADAPTS` (what
sets the weights), a frozen keyword-only dataclass `Config` whose `__post_init__` calls
`check_settings`, `PRESETS`, and `build(config, facts) -> Recipe`. A preset is a dictionary of
settings published together: fields of `Config`, and of the run's model and training.
"""

from dataclasses import dataclass
from typing import Annotated

from autobeta.models import AbstractLikelihood
from autobeta.objectives import AbstractObjective
from autobeta.settings import Range
from autobeta.weighting import AbstractWeighting

# Rules of settings. float32 has to hold what a weight or a number of nats is multiplied with.
Weight = Annotated[float, Range(0, 1e9)]
PositiveWeight = Annotated[float, Range(1e-9, 1e9)]
IntegralGain = Annotated[float, Range(-1e9, 0)]
Rise = Annotated[float, Range(1e-3, 1e9)]
LearningRate = Annotated[float, Range(0, 1)]
Share = Annotated[float, Range(0, 1, above=True)]
Window = Annotated[int, Range(1, 10_000)]


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
