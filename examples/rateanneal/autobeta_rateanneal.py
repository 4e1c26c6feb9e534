"""Rate annealing: beta falls so fast that KL grows at a set rate, then rises to 1. Our own.

    loss = reconstruction + beta_t * kl

A run that ends at beta 1 needs no set point: it ends where the ELBO says. Only the way there is
controlled, by a pacemaker p that KL follows:

    p_t = p_(t-1) + min(rate, lead - e_(t-1))          e_t = p_t - mean of the last 5 KLs
    log beta_t from `LogPI` on e_t, at least log floor_t

`rate` is `growth` nats over the length of the run. The pacemaker waits while the network has not
yet learned to use more nats. The floor is `beta_low` for the fraction `growing` of the run, rises
exponentially for the fraction `returning`, and is `beta_end` afterwards; it has to be below 1
first. `docs/rateanneal.md` says why, and has the stability of the loop and a comparison.

Deviations:
    None; there is no paper.
"""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from autobeta.methods import Facts, Recipe
from autobeta.objectives import Elbo
from autobeta.rules import (
    Fraction,
    IntegralGain,
    Positive,
    PositiveWeight,
    Range,
    Settings,
    Weight,
    Window,
    checked,
)
from autobeta.types import Scalar, Terms
from autobeta.weighting import AbstractWeighting, LogPI, check_terms, schedules, weighted_sum

SOURCE = "Ours: autobeta, docs/rateanneal.md"
CITATION = """@software{autobeta,
  title = {autobeta: variational autoencoders whose loss weights set themselves},
  note = {Method rateanneal}
}"""
ADAPTS = "beta, controlled so that KL grows at a set rate, then returned to 1"
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of rate annealing."""

    growth: PositiveWeight = 65.0
    """Nats that KL would grow by in the whole run at the set rate."""
    lead: PositiveWeight = 1.0
    """Nats that the pacemaker may be ahead of KL."""
    kp: Weight = 0.05
    """Proportional gain of LogPI, per nat."""
    ki: IntegralGain = -0.004
    """Integral gain of LogPI, per nat and step."""
    beta_initial: PositiveWeight = 50.0
    """First beta."""
    beta_low: Annotated[float, Range(1e-9, 1e3, below=True)] = 0.1
    """Lower bound of beta while KL grows."""
    beta_end: PositiveWeight = 1.0
    """Lower bound of beta at the end, and its value unless KL outruns the pacemaker; 1 is the
    ELBO."""
    growing: Fraction = 0.6
    """Fraction of the run with the lower bound `beta_low`."""
    returning: Fraction = 0.2
    """Fraction of the run in which the lower bound rises to `beta_end`."""
    window: Window = 5
    """Batches in the moving average of the KL."""


class PacedKL(AbstractWeighting):
    """loss = reconstruction + beta * kl, with beta such that KL grows at a set rate.

    The controller's lower bound is set to `floor` in every step; `rate` is in nats per step, and
    the pacemaker is at most `lead` nats ahead of the mean KL.

    Example:
        >>> import torch
        >>> from autobeta.weighting import schedules
        >>> weighting = PacedKL(LogPI(), schedules.constant(1.0), rate=0.002)
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(0.0)}
        >>> losses = [float(weighting(terms, step)) for step in range(1000)]
        >>> round(float(weighting.pace.target), 3)  # KL stays at 0, the pacemaker waits
        1.0
    """

    @checked
    def __init__(
        self, controller: LogPI, floor: schedules.Schedule, *, rate: Positive, lead: Positive = 1.0
    ) -> None:
        super().__init__()
        # not named controller: its target is no set point, and KL need not be near it at the end
        self.pace = controller
        self._floor, self._rate, self._lead = floor, rate, lead

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        check_terms(terms, "reconstruction", "kl")
        if self.training:
            self.pace.beta_min = schedules.value_at(self._floor, step)
        pacemaker: Tensor = self.pace.target
        risen = pacemaker + (self._lead - self.pace.last_error).clamp(max=self._rate)
        beta = self.pace.step(terms["kl"].detach().sum(), risen)
        return weighted_sum(terms, {"kl": beta.to(terms["kl"].dtype)})


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of rate annealing; a ValueError if the fractions exceed the run."""
    if config.growing + config.returning > 1:
        raise ValueError(
            "`growing` + `returning` must be at most 1, the whole run; got "
            f"{config.growing} and {config.returning}. Lower one of them."
        )
    highest = max(1000.0, config.beta_initial, 2 * config.beta_end)  # 1,000 is LogPI's own
    bounds = {"beta_initial": config.beta_initial, "beta_min": config.beta_low}
    gains = {"kp": config.kp, "ki": config.ki}
    controller = LogPI(window=config.window, beta_max=highest, **bounds, **gains)
    begin = round(config.growing * facts.num_steps)
    end = max(begin + 1, round((config.growing + config.returning) * facts.num_steps))
    floor = schedules.exponential(config.beta_low, config.beta_end, begin=begin, end_step=end)
    weighting = PacedKL(controller, floor, rate=config.growth / facts.num_steps, lead=config.lead)
    return Recipe(objective=Elbo(), weighting=weighting)
