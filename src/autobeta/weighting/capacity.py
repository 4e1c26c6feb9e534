"""The KL pulled to a capacity that rises: Burgess et al."""

import torch
from torch import Tensor

from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting
from autobeta.weighting.schedules import Schedule


class CapacityKL(AbstractWeighting):
    """loss = reconstruction + gamma * |kl - C(step)|.

    The KL of the batch's mean is compared, not that of each image. Its effective weight is gamma
    above the capacity, -gamma below it.

    Args:
        gamma: Weight of the distance, at least 0.
        capacity: Schedule of C, nats.

    Raises:
        ValueError: If `gamma` is negative.

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

    def __init__(self, gamma: float, capacity: Schedule) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"`gamma` must be at least 0; got {gamma}. The paper has 1000.")
        self._gamma = gamma
        self._capacity = capacity
        self.register_buffer("target", torch.zeros(()))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        capacity = self._capacity(step)
        if self.training:
            self.target.fill_(capacity)
        return terms["reconstruction"] + self._gamma * (terms["kl"].sum() - capacity).abs()
