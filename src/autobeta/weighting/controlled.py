"""The KL weighed by a controller, with a schedule for its set point."""

import math
from types import MappingProxyType

import torch
from torch import Tensor

from autobeta.rules import Index, NonNegative, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms, weighted_sum
from autobeta.weighting._controller import AbstractController
from autobeta.weighting.schedules import Schedule, check_schedule, value_at

_FOLLOWS = 0.8  # of the set point, below which KL does not follow it
_AVERAGED = 10  # steps, of how far KL is short of the set point


class ControlledKL(AbstractWeighting):
    """loss = reconstruction + beta * kl, with beta from a controller and a set-point schedule.

    The set point, in nats, is the schedule's, to the letter, but that it is held where the network
    does not follow: at steps where beta is below `hold`, KL below 0.8 of the set point, or its
    average over some 10 steps more than `behind` nats below, and in the first `settle` steps,
    since the KL of an untrained network is no answer. After that it rises by at most `catch_up`
    nats per step, a slew-rate limit, until it has reached the schedule again; to a KL that is more
    than `behind` nats above it, a tenth of the rest in a step. A `hold` of 0 follows the schedule
    in any case.

    Example:
        >>> from autobeta.weighting import IncrementalPI, schedules
        >>> weighting = ControlledKL(IncrementalPI(), schedules.constant(20.0))
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(20.0)}
        >>> float(weighting(terms, step=0)) > 1000
        True
    """

    shortfall: Tensor
    added = MappingProxyType({"shortfall": 0.0})

    @checked
    def __init__(
        self,
        controller: AbstractController,
        target: Schedule,
        *,
        hold: NonNegative = 0.0,
        behind: float = math.inf,
        catch_up: float = math.inf,
        settle: Index = 0,
    ) -> None:
        super().__init__()
        for name, value in {"behind": behind, "catch_up": catch_up}.items():
            if not value >= 0:
                raise ValueError(f"`{name}` must be at least 0; got {value}.")
        if not isinstance(controller, AbstractController):
            raise TypeError(
                f"`controller` must be an AbstractController; got {controller!r}. Make one, such "
                "as SelfTuningPI()."
            )
        check_schedule("target", target)
        self.controller, self._target = controller, target
        self._hold, self._behind = hold, behind
        self._catch_up, self._settle = catch_up, settle
        self.register_buffer("shortfall", torch.zeros(()))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, weighed with the beta that this step's KL gives."""
        check_terms(terms, "reconstruction", "kl")
        kl = terms["kl"].detach().sum()
        beta = self.controller.step(kl, self._set_point(step, kl))
        if self.training:
            short = self.controller.target - kl
            self._write({"shortfall": self.shortfall + (short - self.shortfall) / _AVERAGED}, kl)
        return weighted_sum(terms, {"kl": beta.to(terms["kl"].dtype)})

    def _set_point(self, step: int, kl: Scalar) -> float | Tensor:
        scheduled = value_at(self._target, step)
        if step == 0 or not self._hold:
            return scheduled
        held = self.controller.target
        behind = held < value_at(self._target, step - 1)
        ahead = (-self.shortfall - self._behind).clamp(min=0) / _AVERAGED
        rise = ahead.clamp(min=self._catch_up)
        limited = torch.where(behind, held + rise, math.inf).clamp(max=scheduled)
        follows = (kl >= _FOLLOWS * held) & (self.shortfall <= self._behind)
        follows &= self.controller.beta >= self._hold
        settled = step >= self._settle  # a step may be a number of NumPy, or a tensor
        follows &= settled if isinstance(settled, Tensor) else bool(settled)
        return torch.where(follows, limited, held)
