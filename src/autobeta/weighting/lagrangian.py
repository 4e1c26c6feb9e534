"""A multiplier that holds the reconstruction at a target: GECO."""

import math

import torch
from torch import Tensor

from autobeta.rules import BelowOne, Finite, Positive, checked
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms


class ReconstructionConstraint(AbstractWeighting):
    """loss = kl + lambda * (reconstruction - target), with lambda growing while it is violated.

        c_t          = reconstruction_t - target
        m_t          = decay m_(t-1) + (1 - decay) c_t,   m_0 = c_0
        log lambda_t = log lambda_(t-1) + rate m_t, the increment bounded by max_change

    The gradient is that of the current batch. beta, the KL's weight over the reconstruction's, is
    1 / lambda. A batch whose reconstruction is not finite moves nothing.

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
        if not beta_min < beta_max:
            raise ValueError(f"`beta_min` must be below `beta_max`; got {beta_min}, {beta_max}.")
        self.target = target
        self._decay, self._rate, self._max_change = decay, rate, max_change
        self._bounds = (-math.log(beta_max), -math.log(beta_min))
        self.register_buffer("log_lambda", torch.zeros(()))
        self.register_buffer("violation", torch.zeros(()))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, with the multiplier that this step's reconstruction gives."""
        check_terms(terms, "reconstruction", "kl")
        reconstruction = terms["reconstruction"].sum()
        if self.training:
            self._update(reconstruction.detach())
        return terms["kl"].sum() + self.log_lambda.exp().to(reconstruction.dtype) * reconstruction

    def _update(self, reconstruction: Tensor) -> None:
        violated = reconstruction.to(self.violation.dtype) - self.target
        decay = torch.where(self.num_seen == 0, 0.0, self._decay)
        violation = decay * self.violation + (1 - decay) * violated
        change = (self._rate * violation).clamp(-self._max_change, self._max_change)
        log_lambda = (self.log_lambda + change).clamp(*self._bounds)
        new = {"violation": violation, "num_seen": self.num_seen + 1, "log_lambda": log_lambda}
        self._write(new, violated)
