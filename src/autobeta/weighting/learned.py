"""Weights that are parameters, with the regulariser that keeps them finite (L-VAE)."""

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.rules import Range, StepsOrNone, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms, weighted_sum

Regulariser = Literal["log", "log1p"]
LOWEST = 1e-6
"""Least variance, so that no weight can overflow."""


@checked
def fixed_point(loss: Tensor, regulariser: Regulariser) -> Tensor:
    """Variance s at which loss / (2 s) + regulariser(s) is least, for a constant loss.

    log:   loss = s              ->  s = loss
    log1p: 2 s^2 = loss (1 + s)  ->  s = (loss + sqrt(loss^2 + 8 loss)) / 4

    A loss may have any shape; values below 0 have no fixed point, and count as 0.

    Example:
        >>> fixed_point(torch.tensor(36.0), "log")
        tensor(36.)
    """
    loss = loss.clamp(min=0)
    if regulariser == "log":
        return loss
    return (loss + torch.sqrt(loss.square() + 8 * loss)) / 4


def check_sizes(terms: Terms, sizes: Mapping[str, int]) -> None:
    """Refuse a term that has another number of values than it has weights."""
    for name, size in sizes.items():
        if terms[name].numel() != size:
            raise ValueError(
                f"`terms[{name!r}]` must have {size} values, one for each weight; got shape "
                f"{tuple(terms[name].shape)}. Make the weighting with as "
                "many as the objective counts: `sizes` of LearnedWeights, `num_weights` of "
                "NaturalWeights."
            )


class LearnedWeights(AbstractWeighting):
    """Each term weighed by a learned variance s, with a regulariser against s -> infinity.

        loss = sum_i [ term_i / unit_i / (2 s_i) + r(s_i) ],   r(s) = 0.5 log s  or  log(1 + s)
        s_i  = floor_i + max(exp(eta_i), 1e-6),   eta_i learned with the network

    The KL's weight over the reconstruction's, beta, tends to the ratio of the fixed points
    (`fixed_point`); for "log" that is reconstruction / kl, whatever the units. "log" alone has no
    lower bound: a term that tends to 0 is rewarded without limit, hence the floor on the KL's
    variance. "log1p" is bounded below by 0, but its balance depends on the units. A term that
    falls below 0, such as the negative log-density of a sharp Gaussian, has no fixed point: its
    variance goes to the lower bound, its weight to 5e5, and the others count for nothing.

    `sizes` are the numbers of weights of each term: 1, or one for each latent of a vector term.
    `units` are in nats per image: 1 for nats (the default), the number of pixels for nats per
    pixel; `floors`, 0 by default, are in these units. During `warmup` steps every term counts once
    and no weight is learned; then weights `start` at "ones" (eta = 0), or at their "fixed_point"
    for the mean terms of the warm-up's second half. With a `beta_initial` the KL counts that much
    in the warm-up, and "ones" starts the reconstruction's eta where beta has that value.

    Source:
        Mogultay Ozcan et al., L-VAE, 2025, https://arxiv.org/abs/2507.02619: two learned weights
        and a regulariser, adapted from Kendall et al., 2018, https://arxiv.org/abs/1705.07115
        ("log"); "log1p" is Liebel & Koerner, 2018, https://arxiv.org/abs/1805.06334.

    Deviations:
        The paper's exact form is not known to us; forms, units, floors, warm-up and start are
        options. Their defaults in `methods/lvae.py` were chosen by the experiments in
        `reproductions/foundation/` and `reproductions/lvae/`.

    Example:
        >>> weighting = LearnedWeights({"reconstruction": 1, "kl": 1})
        >>> terms = {"reconstruction": torch.tensor(30.0), "kl": torch.tensor(20.0)}
        >>> weighting(terms, step=0)
        tensor(25., grad_fn=<AddBackward0>)
    """

    @checked
    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        regulariser: Regulariser = "log",
        units: Mapping[str, float] | None = None,
        floors: Mapping[str, float] | None = None,
        warmup: StepsOrNone = 0,
        start: Literal["ones", "fixed_point"] = "ones",
        beta_initial: float | None = None,
    ) -> None:
        super().__init__()
        self.regulariser, self.warmup, self.start = regulariser, warmup, start
        self.units, self.floors = dict(units or {}), dict(floors or {})
        self.beta_initial = beta_initial
        _check(self, sizes)
        parameters = {name: nn.Parameter(torch.zeros(size)) for name, size in sizes.items()}
        self.log_variance = nn.ParameterDict(parameters)
        for name, size in sizes.items():
            self.register_buffer(f"mean_{name}", torch.zeros(size))
        if beta_initial is not None:
            self._start_at(beta_initial)

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step; before `warmup` the plain sum of the terms."""
        check_terms(terms, *self.log_variance)
        check_sizes(terms, {name: eta.numel() for name, eta in self.log_variance.items()})
        if step < self.warmup:
            self._measure(terms, step)
            return weighted_sum(terms, {"kl": self.beta_initial} if self.beta_initial else {})
        total = torch.zeros((), device=next(iter(terms.values())).device)
        for name, term in terms.items():
            learned = name in self.log_variance
            total = total + (self._weighed(name, term) if learned else term.sum())
        return total

    def _weighed(self, name: str, term: Tensor) -> Scalar:
        variance = self.variance(name)
        cost = term.reshape(-1) / self.units.get(name, 1.0)
        regulariser = 0.5 * variance.log() if self.regulariser == "log" else variance.log1p()
        return (cost / (2 * variance) + regulariser).sum()

    def variance(self, name: str) -> Float[Tensor, " size"]:
        """The learned variance s of a term, in its units."""
        return self.floors.get(name, 0.0) + _Bounded.apply(self.log_variance[name]).exp()

    @torch.no_grad()
    def _measure(self, terms: Terms, step: int) -> None:
        first = self.warmup // 2
        if not self.training or step < first:
            return
        for name in self.log_variance:
            mean, cost = self.get_buffer(f"mean_{name}"), terms[name].detach().reshape(-1)
            self._write({f"mean_{name}": mean + (cost - mean) / (step - first + 1)})
        if self.start == "fixed_point":  # at every step, since any may be the last one before
            self._start_at_fixed_point()

    @torch.no_grad()
    def _start_at(self, beta: float) -> None:
        units = self.units.get("kl", 1.0) / self.units.get("reconstruction", 1.0)
        floor = self.floors.get("reconstruction", 0.0)
        above_floor = float(beta * units * self.variance("kl")[0]) - floor
        if above_floor <= 0:
            raise ValueError(
                f"`beta_initial` must leave the reconstruction's variance above its floor, "
                f"{floor:g}; got {beta:g}. Raise it, or lower the floor."
            )
        self.log_variance["reconstruction"].fill_(math.log(max(above_floor, LOWEST)))

    @torch.no_grad()
    def _start_at_fixed_point(self) -> None:
        for name, eta in self.log_variance.items():
            cost = self.get_buffer(f"mean_{name}") / self.units.get(name, 1.0)
            above_floor = fixed_point(cost, self.regulariser) - self.floors.get(name, 0.0)
            eta.copy_(above_floor.clamp(min=math.exp(-5)).log())


class _Bounded(torch.autograd.Function):
    """A parameter from below log(LOWEST), that a gradient can raise again but lower no further."""

    @staticmethod
    def forward(ctx: Any, eta: Tensor) -> Tensor:  # noqa: ANN401
        low = eta < math.log(LOWEST)
        ctx.save_for_backward(low)
        return torch.where(low, math.log(LOWEST), eta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        (low,) = ctx.saved_tensors
        return torch.where(low & (gradient > 0), 0, gradient)


def check_start(start: str, warmup: int) -> None:
    """Refuse a fixed point that could only be that of an untrained network."""
    if start == "fixed_point" and warmup < 2:
        raise ValueError(
            f"`warmup` must be at least 2 steps for `start` fixed_point, which is measured in it; "
            f"got {warmup}. Take `start` ones, or a warm-up."
        )


def _is_count(size: object) -> bool:
    return isinstance(size, Integral) and not isinstance(size, bool) and int(size) >= 1


def _check(weighting: LearnedWeights, sizes: Mapping[str, int]) -> None:
    taken = [n for n in sizes if hasattr(nn.ParameterDict, n) or n.startswith("_")]
    if odd := [*taken, *(name for name in sizes if not name.isidentifier())]:
        raise ValueError(
            f"`sizes` must have names that a module's parameters may have; got {odd[0]!r}. Rename "
            "the term."
        )
    if not sizes or not all(_is_count(n) for n in sizes.values()):
        raise ValueError(
            "`sizes` must be how many numbers each term has, at least one term and 1 number; got "
            f"{dict(sizes)}. {{'reconstruction': 1, 'kl': 1}} is usual."
        )
    check_start(weighting.start, weighting.warmup)
    if weighting.beta_initial is not None and not {"reconstruction", "kl"} <= sizes.keys():
        raise ValueError(
            f"`beta_initial` needs weights of reconstruction and kl; got {', '.join(sizes)}. "
            "Leave it out."
        )
    if weighting.beta_initial is not None and weighting.beta_initial not in Range(0, above=True):
        raise ValueError(
            f"`beta_initial` must be {Range(0, above=True)}; got {weighting.beta_initial}."
        )
    rules = {"units": Range(0, above=True), "floors": Range(0)}
    for option, rule in rules.items():
        for name, value in getattr(weighting, option).items():
            if name not in sizes:
                known = ", ".join(sizes)
                raise ValueError(f"`{option}` must be of terms in `sizes`, {known}; got {name!r}.")
            if value not in rule:
                raise ValueError(f"`{option}[{name!r}]` must be {rule}; got {value}.")
