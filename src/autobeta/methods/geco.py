"""GECO: the reconstruction is held at a target by a multiplier, and the KL is what it takes.

    loss = kl + lambda_t * (reconstruction - target)

lambda grows while the moving average of the reconstruction is above the target, and falls below it
(`weighting/lagrangian.py`). beta is 1 / lambda.

By default the target is measured: beta is low in a first part of the run, and what the network
reconstructs by then is held while the rest of the run spends its learning on fewer nats of KL. So
the target can be reached, with any data, likelihood and length of run. How quick lambda moves is
fitted to the run's length, in units of the loss. A `rate` gives the published form.

Deviations:
    The constraint is on the reconstruction term in nats, for a Gaussian of sigma 1 half the
    squared error, not on the squared error less kappa squared; for a Bernoulli it is what exceeds
    the images' own entropy. A measured target and the fitted pace of lambda are ours.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Annotated

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import BelowOne, PositiveWeight, Range, Settings
from autobeta.weighting import ReconstructionConstraint, RelativeConstraint

SOURCE = "Rezende & Viola, Taming VAEs, 2018, https://arxiv.org/abs/1810.00597"
CITATION = """@article{rezende2018taming,
  title = {Taming {VAEs}},
  author = {Rezende, Danilo Jimenez and Viola, Fabio},
  journal = {arXiv preprint arXiv:1810.00597},
  year = {2018}
}"""
ADAPTS = "beta, controlled so that the reconstruction reaches a target"
PRESETS: dict[str, dict[str, object]] = {
    # the form is the paper's; target and rate are ours, for dSprites and 20,000 steps
    "paper": {
        "target": 60.0,
        "rate": 1e-4,
        "decay": 0.99,
        "max_change": 0.001,
        "likelihood": "bernoulli",
    }
}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of GECO; with a `rate` the multiplier is as published, without it fits the run."""

    target: Annotated[float, Range(-1e9, 1e9)] | None = None
    """Reconstruction to hold, nats per image; what the network has after `warmup` if not given."""
    warmup: BelowOne = 0.5
    """Fraction of the run with `beta_initial`, after which a target that isn't given is measured;
    with a `target` there is no warm-up."""
    beta_initial: PositiveWeight = 0.01
    """beta of the warm-up, from 1e-4 to 1e4; with a `target` the run starts at 1."""
    rate: PositiveWeight | None = None
    """Change of log lambda per nat and step, as published; fitted to the run if not given."""
    decay: BelowOne | None = None
    """Of the moving average; if not given 0.99, or quicker in runs below 10,000 steps."""
    max_change: PositiveWeight | None = None
    """Largest change of log lambda in a step; if not given 20 over the run's steps, or, with a
    `rate`, 0.001."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of GECO; a ValueError for settings that do not go together."""
    warmup = {name: getattr(config, name) for name in ("warmup", "beta_initial")}
    if config.target is not None and warmup != {name: getattr(Config, name) for name in warmup}:
        raise ValueError(
            "`warmup` and `beta_initial` must be left out with a `target`, which needs no warm-up "
            f"to be measured in; got {config.warmup:g} and {config.beta_initial:g}."
        )
    weighting = _published(config, facts) if config.rate else _fitted(config, facts)
    return Recipe(objective=Elbo(relative=True), weighting=weighting)


def _fitted(config: Config, facts: Facts) -> RelativeConstraint:
    steps = facts.num_steps
    if config.target is None and round(config.warmup * steps) < 1:
        raise ValueError(
            f"`warmup` must take at least a step of the run's {steps} where no `target` is given; "
            f"got {config.warmup}. Raise it, or give --method.target."
        )
    measured = 0 if config.target is not None else round(config.warmup * steps)
    decay = 1 - 1 / min(max(steps / 100, 5), 100) if config.decay is None else config.decay
    largest = config.max_change or 20 / max(steps, 200)
    # a time constant of a tenth of the run or less, and slower than the network's own
    rate = min(200 / steps, 0.05)
    pace = {"decay": decay, "rate": rate, "max_change": largest}
    start = config.beta_initial if measured else 1.0
    return RelativeConstraint(config.target, warmup=measured, beta_initial=start, **pace)


def _published(config: Config, facts: Facts) -> ReconstructionConstraint:
    if config.target is None:
        raise ValueError(
            "`target` must be given with a `rate`, which is per nat; got None. Give "
            "--method.target, or leave --method.rate out: then both are fitted to data and run."
        )
    decay = 0.99 if config.decay is None else config.decay
    largest = config.max_change or 0.001
    farthest = math.exp(min(largest * facts.num_steps, 700))
    if farthest < 2:
        warnings.warn(
            f"`max_change` lets lambda change by at most a factor of {farthest:.3g} in a run of "
            f"{facts.num_steps:,} steps, so that the target is hardly pursued. Train longer, or "
            f"raise --method.max-change: {5 / facts.num_steps:.2g} allows a factor of 150.",
            stacklevel=3,
        )
    assert config.rate
    return ReconstructionConstraint(
        config.target, decay=decay, rate=config.rate, max_change=largest
    )
