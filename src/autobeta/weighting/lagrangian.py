"""Multipliers that hold the reconstruction at a target: GECO, as published and free of units."""

import math

import torch
from torch import Tensor

from autobeta.rules import BelowOne, Finite, Index, Positive, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_first, check_terms, other_terms


class ReconstructionConstraint(AbstractWeighting):
    """loss = kl + lambda * (reconstruction - target), with lambda growing while it is violated.

        c_t          = reconstruction_t - target
        m_t          = decay m_(t-1) + (1 - decay) c_t,   m_0 = c_0
        log lambda_t = log lambda_(t-1) + rate m_t, the increment bounded by max_change

    The gradient is that of the current batch. beta, the KL's weight over the reconstruction's, is
    1 / lambda. Other terms count once. A batch whose reconstruction is not finite moves nothing.

    `target` is in nats per image, `decay` in [0, 1), `rate` per nat and step. beta stays within
    `beta_min` and `beta_max`.

    Source:
        Rezende & Viola, Taming VAEs, 2018, algorithm 1, https://arxiv.org/abs/1810.00597

    Deviations:
        The paper's constraint is a squared error less a tolerance; here it is the reconstruction
        term in nats, half the squared error for a Gaussian of sigma 1. The increment and lambda
        are bounded, as in public code. The loss leaves `lambda * target` out, a constant.

    Example:
        >>> weighting = ReconstructionConstraint(50.0)
        >>> terms = {"reconstruction": torch.tensor(80.0), "kl": torch.tensor(20.0)}
        >>> float(weighting(terms, step=0)) > 100
        True
    """

    log_lambda: Tensor
    violation: Tensor
    num_seen: Tensor

    @checked
    def __init__(
        self,
        target: Finite,
        *,
        decay: BelowOne = 0.99,
        rate: Positive = 1e-4,
        max_change: Positive = 0.001,
        beta_min: Positive = 1e-4,
        beta_max: Positive = 1e4,
    ) -> None:
        super().__init__()
        self.target = target
        self._decay, self._rate, self._max_change = decay, rate, max_change
        self._bounds = _log_bounds(beta_min, beta_max)
        self.register_buffer("log_lambda", torch.zeros(()))
        self.register_buffer("violation", torch.zeros(()))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, with the multiplier that this step's reconstruction gives."""
        check_terms(terms, "reconstruction", "kl")
        reconstruction = terms["reconstruction"].sum()
        if self.training:
            self._update(reconstruction.detach())
        held = self.log_lambda.exp().to(reconstruction.dtype) * reconstruction
        return terms["kl"].sum() + held + other_terms(terms)

    def _update(self, reconstruction: Tensor) -> None:
        violated = reconstruction.to(self.violation.dtype) - self.target
        decay = torch.where(self.num_seen == 0, 0.0, self._decay)
        violation = decay * self.violation + (1 - decay) * violated
        change = (self._rate * violation).clamp(-self._max_change, self._max_change)
        log_lambda = (self.log_lambda + change).clamp(*self._bounds)
        new = {"violation": violation, "num_seen": self.num_seen + 1, "log_lambda": log_lambda}
        self._write(new, violated)


class RelativeConstraint(AbstractWeighting):
    """loss = kl + lambda * reconstruction, for a target that may be measured, in any unit.

        m_t, k_t     = moving averages of reconstruction and kl with `decay`
        log lambda_t = log lambda_(t-1) + rate lambda_(t-1) (m_t - target) / max(k_t, 1),
                       the increment bounded by max_change

    Before step `warmup` beta is `beta_initial`, and the target, if None, is m_t; from then on it
    is fixed.
    The violation is counted as a part of the loss, in units of the kl, so `rate` depends neither
    on the likelihood's unit nor on the zero of its nats. In the linear Gaussian model with a
    active latents the reconstruction falls by a / (2 lambda) nats for each e-fold of lambda, so
    the loop's gain is rate a / (2 k) per step whatever lambda is. Other terms count once. A batch
    that is not finite moves nothing.

    `target` is in nats per image, `decay` in [0, 1), `rate` per step. beta, which is 1 / lambda,
    stays within `beta_min` and `beta_max`.

    Source:
        Rezende & Viola, Taming VAEs, 2018, algorithm 1, https://arxiv.org/abs/1810.00597

    Deviations:
        The paper's increment is the violation itself times a rate; its target is chosen by hand.

    Example:
        >>> weighting = RelativeConstraint(None, warmup=2)
        >>> for step, nats in enumerate((90.0, 80.0, 80.0)):
        ...     terms = {"reconstruction": torch.tensor(nats), "kl": torch.tensor(20.0)}
        ...     loss = weighting(terms, step)
        >>> round(float(weighting.reconstruction_target), 1)  # that of the second step
        89.9
    """

    log_lambda: Tensor
    mean_reconstruction: Tensor
    mean_kl: Tensor
    reconstruction_target: Tensor
    num_seen: Tensor

    @checked
    def __init__(
        self,
        target: Finite | None = None,
        *,
        warmup: Index = 0,
        beta_initial: Positive = 1.0,
        decay: BelowOne = 0.99,
        rate: Positive = 0.01,
        max_change: Positive = 0.001,
        beta_min: Positive = 1e-4,
        beta_max: Positive = 1e4,
    ) -> None:
        super().__init__()
        self._target, self._warmup = target, warmup
        self._decay, self._rate, self._max_change = decay, rate, max_change
        self._bounds = _log_bounds(beta_min, beta_max)
        check_first(beta_initial, beta_min, beta_max)
        self.register_buffer("log_lambda", torch.tensor(-math.log(beta_initial)))
        self.register_buffer("mean_reconstruction", torch.zeros(()))
        self.register_buffer("mean_kl", torch.zeros(()))
        self.register_buffer("reconstruction_target", torch.tensor(float(target or 0.0)))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, with the multiplier that this step's terms give."""
        check_terms(terms, "reconstruction", "kl")
        reconstruction, kl = terms["reconstruction"].sum(), terms["kl"].sum()
        if self.training:
            self._update(reconstruction.detach(), kl.detach(), step < self._warmup)
        held = self.log_lambda.exp().to(reconstruction.dtype) * reconstruction
        return kl + held + other_terms(terms)

    def _update(self, reconstruction: Tensor, kl: Tensor, warming: bool) -> None:
        first = self.num_seen == 0
        decay = torch.where(first, 0.0, self._decay)
        mean = decay * self.mean_reconstruction + (1 - decay) * reconstruction
        mean_kl = decay * self.mean_kl + (1 - decay) * kl
        target, log_lambda = self.reconstruction_target, self.log_lambda
        if self._target is None:  # a run that starts after its warm-up takes the first batch's
            target = mean if warming else torch.where(first, mean, target)
        if not warming:
            violation = log_lambda.exp() * (mean - target) / mean_kl.clamp(min=1.0)
            change = (self._rate * violation).clamp(-self._max_change, self._max_change)
            log_lambda = (log_lambda + change).clamp(*self._bounds)
        new = {"mean_reconstruction": mean, "mean_kl": mean_kl, "reconstruction_target": target}
        new |= {"log_lambda": log_lambda, "num_seen": self.num_seen + 1}
        dtype = self.log_lambda.dtype
        wide = {k: v if k == "num_seen" else v.to(dtype) for k, v in new.items()}
        self._write(wide, reconstruction, kl)


def _log_bounds(beta_min: float, beta_max: float) -> tuple[float, float]:
    """Of log lambda, which is -log beta."""
    if not beta_min < beta_max:
        raise ValueError(f"`beta_min` must be below `beta_max`; got {beta_min}, {beta_max}.")
    return -math.log(beta_max), -math.log(beta_min)
