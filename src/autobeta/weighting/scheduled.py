"""Weights that are fixed, or follow a schedule."""

from collections.abc import Mapping

from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, weighted_sum
from autobeta.weighting.schedules import Schedule, constant, value_at


class ScheduledWeights(AbstractWeighting):
    """loss = sum of weight(step) * term; a term without a weight counts once.

    Example:
        >>> import torch
        >>> terms = {"reconstruction": torch.tensor(10.0), "kl": torch.tensor(2.0)}
        >>> ScheduledWeights({"kl": 4.0})(terms, step=0)
        tensor(18.)
    """

    def __init__(self, weights: Mapping[str, float | Schedule]) -> None:
        super().__init__()
        self._schedules = {n: w if callable(w) else constant(w) for n, w in weights.items()}

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Weighted sum of the terms."""
        weights = {name: value_at(weight, step) for name, weight in self._schedules.items()}
        return weighted_sum(terms, weights)
