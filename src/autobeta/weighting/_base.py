"""AbstractWeighting: terms and step to the loss; and the effective weight of each term."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from autobeta.types import Scalar, Terms


class AbstractWeighting(nn.Module):
    """Interface: (terms, step) to loss.

    A weighting sees the current step's terms and returns the loss of the same step. Its state is
    buffers and parameters, so `state_dict` resumes it exactly. In `eval()` no state moves.
    """

    @abstractmethod
    def forward(self, terms: Terms, step: int) -> Scalar:
        """Weighted loss of one batch; `step` counts from 0."""


def effective_weights(loss: Scalar, terms: Terms) -> dict[str, Tensor]:
    """D loss / d term for each term: one definition of a weight for every kind of weighting.

    Args:
        loss: Return value of a weighting, with its graph.
        terms: The terms it was computed from.

    Returns:
        A detached tensor for each term, of the term's shape; zero where the loss ignores it.

    Example:
        >>> kl = torch.tensor(2.0, requires_grad=True)
        >>> effective_weights(4 * kl, {"kl": kl})
        {'kl': tensor(4.)}
    """
    gradients = torch.autograd.grad(
        loss, list(terms.values()), retain_graph=True, allow_unused=True
    )
    return {
        name: torch.zeros_like(term) if gradient is None else gradient.detach()
        for (name, term), gradient in zip(terms.items(), gradients, strict=True)
    }


def weighted_sum(terms: Terms, weights: Mapping[str, float | Tensor]) -> Scalar:
    """Sum of weight times term, weight 1 where none is given; vector terms are summed."""
    total = torch.zeros((), device=next(iter(terms.values())).device)
    for name, term in terms.items():
        total = total + (weights.get(name, 1.0) * term).sum()
    return total
