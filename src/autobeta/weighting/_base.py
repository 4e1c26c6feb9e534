"""AbstractWeighting: terms and step to the loss; and the effective weight of each term."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from autobeta.types import Scalar, Terms


class WideState(nn.Module):
    """A module whose state stays float32 or wider under `.half()` and `.bfloat16()`.

    Its increments are far below what these formats resolve.
    """

    added: Mapping[str, Any] = MappingProxyType({})
    """Buffers that the states of earlier versions have not, and their values in a new module."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        def keep_wide(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            narrow = moved.is_floating_point() and torch.finfo(moved.dtype).bits < 32
            return tensor.to(moved.device) if narrow else moved

        return super()._apply(keep_wide, recurse)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        for name, value in self.added.items():
            state_dict.setdefault(prefix + name, torch.as_tensor(value))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @torch.no_grad()
    def _write(self, new: Mapping[str, Tensor], *inputs: Tensor) -> None:
        """Set buffers to new values; none of them where a value or an input is not finite."""
        every = torch.cat([value.reshape(-1) for value in (*new.values(), *inputs)])
        finite = 0 * every.sum() == 0  # not read on the host
        for name, value in new.items():
            buffer = self.get_buffer(name)
            torch.where(finite, value.to(buffer.dtype), buffer, out=buffer)


class AbstractWeighting(WideState):
    """Interface: (terms, step) to loss.

    A weighting sees the current step's terms and returns the loss of the same step. Its state is
    buffers and parameters, so `state_dict` resumes it exactly. In `eval()` no state moves.
    """

    @abstractmethod
    def forward(self, terms: Terms, step: int) -> Scalar:
        """Weighted loss of one batch; `step` counts from 0."""


def check_first(beta: float, beta_min: float, beta_max: float) -> None:
    """Refuse a first beta that its own bounds would move."""
    if not beta_min <= beta <= beta_max:
        raise ValueError(
            f"`beta_initial` must be from `beta_min`, {beta_min:g}, to `beta_max`, "
            f"{beta_max:g}; got {beta:g}. Move it, or the bound."
        )


def check_terms(terms: Terms, *needed: str) -> None:
    """Refuse terms that a weighting can't read: missing, no tensors, or of a shape no term has."""
    missing = [name for name in needed if name not in terms]
    if missing or not terms:
        raise ValueError(
            f"`terms` must have {' and '.join(map(repr, missing or ['reconstruction']))}; got "
            f"{', '.join(terms) or 'none'}. Take an objective that counts it."
        )
    for name, term in terms.items():
        if not isinstance(term, Tensor):
            raise TypeError(
                f"`terms[{name!r}]` must be a tensor with its graph; got {type(term).__name__}."
            )
        if not term.is_floating_point():  # a weight would be cut to a whole number
            raise TypeError(
                f"`terms[{name!r}]` must be a tensor of floats, nats; got {term.dtype}. Sum and "
                "average what the loss is made of, not a count."
            )
        if term.ndim > 1 or (name == "reconstruction" and term.numel() != 1):
            raise ValueError(
                f"`terms[{name!r}]` must be one number, the mean over the batch, or a vector over "
                f"latents where that is weighed; got shape {tuple(term.shape)}. Sum over pixels "
                "and latents, and take the mean over the batch."
            )


def other_terms(terms: Terms) -> Scalar | float:
    """The sum of those that a weighting of reconstruction and kl alone knows nothing of."""
    known = ("reconstruction", "kl")
    return sum((term.sum() for name, term in terms.items() if name not in known), start=0.0)


def effective_weights(loss: Scalar, terms: Terms) -> dict[str, Tensor]:
    """D loss / d term for each term: one definition of a weight for every kind of weighting.

    They are detached tensors of the terms' shapes; zero where the loss ignores a term.

    Example:
        >>> kl = torch.tensor(2.0, requires_grad=True)
        >>> effective_weights(4 * kl, {"kl": kl})
        {'kl': tensor(4.)}
    """
    inputs = list(terms.values())
    lacking = [name for name, term in {"loss": loss, **terms}.items() if not term.requires_grad]
    if lacking:
        raise ValueError(
            f"`loss` and terms must have a graph, from which weights are read; {lacking[0]} has "
            "none, as under torch.no_grad. Compute it with gradients."
        )
    gradients = torch.autograd.grad(
        loss, inputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return {name: gradient.detach() for name, gradient in zip(terms, gradients, strict=True)}


def weighted_sum(terms: Terms, weights: Mapping[str, float | Tensor]) -> Scalar:
    """Sum of weight times term, weight 1 where none is given; vector terms are summed."""
    check_terms(terms, *weights)
    weighted = [weights[name] * term if name in weights else term for name, term in terms.items()]
    first, *others = (term if term.ndim == 0 else term.sum() for term in weighted)
    return sum(others, start=first)
