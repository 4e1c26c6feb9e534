"""The KL pulled to a capacity that rises: Burgess et al."""

import torch
from torch import Tensor

from autobeta.rules import NonNegative, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms
from autobeta.weighting.schedules import Schedule, value_at


class CapacityKL(AbstractWeighting):
    """loss = reconstruction + gamma * |kl - C(step)|, or rounded near the capacity.

    The KL of the batch's mean is compared, not that of each image. Its effective weight is gamma
    above the capacity, a schedule in nats, and -gamma below it. With a `width` w in nats the
    distance d counts d^2 / (2 w) up to w, and |d| - w / 2 beyond: the weight is gamma d / w within
    w of the capacity, so that it can balance what the reconstruction would pay for a nat.

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

    target: Tensor

    @checked
    def __init__(
        self, gamma: NonNegative, capacity: Schedule, *, width: NonNegative = 0.0
    ) -> None:
        super().__init__()
        self._gamma, self._capacity, self._width = gamma, capacity, width
        self.register_buffer("target", torch.zeros(()))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        check_terms(terms, "reconstruction", "kl")
        capacity = value_at(self._capacity, step)
        if self.training:
            self.target.fill_(capacity)
        distance = (terms["kl"].sum() - capacity).abs()
        if self._width:
            near = distance.clamp(max=self._width)
            distance = distance - near + near.square() / (2 * self._width)
        return terms["reconstruction"].sum() + self._gamma * distance
