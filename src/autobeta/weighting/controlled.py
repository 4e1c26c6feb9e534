"""The KL weighed by a controller, with a schedule for its set point."""

import math

import torch
from torch import Tensor

from autobeta.rules import NonNegative, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms, weighted_sum
from autobeta.weighting._controller import AbstractController
from autobeta.weighting.schedules import Schedule, value_at


class ControlledKL(AbstractWeighting):
    """loss = reconstruction + beta * kl, with beta from a controller and a set-point schedule.

    The set point, in nats, is held at steps where beta is below `hold`, and then follows the
    schedule by at most `catch_up` nats per step: a slew-rate limit. A `hold` of 0 follows the
    schedule to the letter.

    Example:
        >>> from autobeta.weighting import IncrementalPI, schedules
        >>> weighting = ControlledKL(IncrementalPI(), schedules.constant(20.0))
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(20.0)}
        >>> float(weighting(terms, step=0)) > 1000
        True
    """

    @checked
    def __init__(
        self,
        controller: AbstractController,
        target: Schedule,
        *,
        hold: NonNegative = 0.0,
        catch_up: float = math.inf,
    ) -> None:
        super().__init__()
        if not catch_up >= 0:
            raise ValueError(f"`catch_up` must be at least 0; got {catch_up}.")
        self.controller, self._target = controller, target
        self._hold, self._catch_up = hold, catch_up

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, weighed with the beta that this step's KL gives."""
        check_terms(terms, "reconstruction", "kl")
        beta = self.controller.step(terms["kl"].detach().sum(), self._set_point(step))
        return weighted_sum(terms, {"kl": beta.to(terms["kl"].dtype)})

    def _set_point(self, step: int) -> float | Tensor:
        scheduled = value_at(self._target, step)
        if step == 0 or not self._hold:
            return scheduled
        held = self.controller.target
        risen = (held + self._catch_up).clamp(max=scheduled)
        return torch.where(self.controller.beta >= self._hold, risen, held)
