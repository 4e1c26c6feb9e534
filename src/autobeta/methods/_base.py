"""Recipe: the objects of a method, and what a method module must define.

A method module holds, in this order: a docstring, `SOURCE`, `CITATION` (BibTeX), `ADAPTS` (what
sets the weights), a frozen keyword-only dataclass `Config`, `PRESETS` (settings published for
other data sets), and `build(config, *, num_latents, num_train, image_shape, num_steps) -> Recipe`.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.models import AbstractLikelihood, Bernoulli, Gaussian
from autobeta.objectives import AbstractObjective
from autobeta.weighting import AbstractWeighting

LikelihoodName = Literal["bernoulli", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The objects that make a method.

    Args:
        likelihood: p(x|z) on the decoder's outputs.
        objective: Counts the terms.
        weighting: Turns them into a loss.
        weighting_lr: Learning rate of the weighting's own parameters; None takes the network's.
    """

    likelihood: AbstractLikelihood
    objective: AbstractObjective
    weighting: AbstractWeighting
    weighting_lr: float | None = None


def make_likelihood(name: str) -> AbstractLikelihood:
    """Bernoulli, or a Gaussian with sigma 1 (half the squared error).

    Raises:
        ValueError: If the name is neither.
    """
    if name == "bernoulli":
        return Bernoulli()
    if name == "gaussian":
        return Gaussian()
    raise ValueError(f"`likelihood` must be 'bernoulli' or 'gaussian'; got {name!r}.")
