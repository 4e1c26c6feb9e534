"""The KL pulled to a capacity that rises: Burgess et al."""

import torch
from torch import Tensor

from autobeta.rules import NonNegative, Positive, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms, other_terms
from autobeta.weighting.schedules import Schedule, check_schedule, value_at


class AbstractCapacity(AbstractWeighting):
    """A capacity in nats that rises with the step; it is a buffer, so that it is logged.

    Terms other than reconstruction and kl count once.
    """

    target: Tensor

    def __init__(self, capacity: Schedule) -> None:
        super().__init__()
        check_schedule("capacity", capacity)
        self._capacity = capacity
        self.register_buffer("target", torch.zeros(()))

    def _distance(self, terms: Terms, step: int) -> Scalar:
        check_terms(terms, "reconstruction", "kl")
        capacity = value_at(self._capacity, step)
        if self.training:
            self.target.fill_(capacity)
        return terms["kl"].sum() - capacity


class CapacityKL(AbstractCapacity):
    """loss = reconstruction + gamma * |kl - C(step)|.

    The KL of the batch's mean is compared, not that of each image. Its effective weight is gamma
    above the capacity, a schedule in nats, and -gamma below it.

    Source:
        Burgess et al., Understanding disentangling in beta-VAE, 2018, eq. 8,
        https://arxiv.org/abs/1804.03599

    Example:
        >>> from autobeta.weighting import schedules
        >>> weighting = CapacityKL(1000.0, schedules.constant(5.0))
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(4.9)}
        >>> round(float(weighting(terms, step=0)), 1)
        200.0
    """

    @checked
    def __init__(self, gamma: NonNegative, capacity: Schedule) -> None:
        super().__init__(capacity)
        self._gamma = gamma

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        distance = self._distance(terms, step).abs()
        return terms["reconstruction"].sum() + self._gamma * distance + other_terms(terms)


class SquaredCapacityKL(AbstractCapacity):
    """loss = reconstruction + stiffness / 2 * (kl - C(step))^2.

    The effective weight of the KL is its distance from the capacity times `stiffness`, per nat. So
    training settles where that balances what the reconstruction would pay for one more nat,
    -dR/dK: -dR/dK / stiffness nats above the capacity.

    Source:
        Burgess et al., Understanding disentangling in beta-VAE, 2018, eq. 8,
        https://arxiv.org/abs/1804.03599

    Deviations:
        The paper has the distance itself, times gamma. Its gradient has one size however near the
        KL is, and next to it that of the reconstruction is lost in Adam, which divides by both.

    Example:
        >>> from autobeta.weighting import schedules
        >>> weighting = SquaredCapacityKL(10.0, schedules.constant(5.0))
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(3.0)}
        >>> float(weighting(terms, step=0))
        120.0
    """

    @checked
    def __init__(self, stiffness: Positive, capacity: Schedule) -> None:
        super().__init__(capacity)
        self._stiffness = stiffness

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        squared = self._distance(terms, step).square()
        pulled = terms["reconstruction"].sum() + 0.5 * self._stiffness * squared
        return pulled + other_terms(terms)
