"""PI controllers of the KL's weight, for anybody's loop.

A controller holds KL at a set point by moving beta. Its integral gain is negative, as in the
authors' code: too little KL (a positive error) lowers beta.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from autobeta.rules import Count, Finite, NonNegative, Positive, checked
from autobeta.types import Scalar
from autobeta.weighting._controller import AbstractController, Gains

Antiwindup = Literal["conditional", "authors"]


def _integrated(controller: "IncrementalPI | PositionalPI", error: Scalar) -> Scalar:
    """The increment of the integral, 0 where anti-windup leaves it out."""
    increment, raw = controller.ki * error, controller.raw
    if controller.antiwindup == "authors":
        left_out = raw < controller.beta_min
    else:
        sinking = (raw <= controller.beta_min) & (increment < 0)
        left_out = sinking | ((raw >= controller.beta_max) & (increment > 0))
    return increment.masked_fill(left_out, 0.0)


class IncrementalPI(AbstractController):
    """DynamicVAE's controller: a non-linear PI controller in incremental form.

        e_t    = target_t - mean of the last `window` KLs
        phi(e) = 1 / (1 + exp(e))
        w_t    = w_(t-1) + kp (phi(e_t) - phi(e_(t-1))) + ki e_t
        beta_t = w_t bounded by beta_min and beta_max

    e_0 = 0, and the window is filled with zeros at the start.

    w starts at `beta_initial`; `ki`, per nat and step, is at most 0. `antiwindup` "conditional"
    leaves the integral increment out only where it would push w further out of bounds, "authors"
    wherever w < beta_min, in either direction, so a controller that reached its floor stays there.

    Source:
        Shao et al., DynamicVAE, 2020, https://arxiv.org/abs/2009.06795; checked step by step
        against the authors' I_PID.py (commit 20f90c1).

    Deviations:
        `antiwindup="conditional"` is ours and the default. `beta_max` is ours.

    Example:
        >>> controller = IncrementalPI()
        >>> beta = controller.step(kl=3.2, target=0.5)
    """

    raw: Tensor
    last_error: Tensor
    recent: Tensor

    @checked
    def __init__(
        self,
        *,
        kp: NonNegative = 0.01,
        ki: Finite = -0.005,
        beta_initial: NonNegative = 50.0,
        beta_min: NonNegative = 0.1,
        beta_max: float = math.inf,
        window: Count = 5,
        antiwindup: Antiwindup = "conditional",
    ) -> None:
        super().__init__(beta_initial, beta_min=beta_min, beta_max=beta_max, kp=kp, ki=ki)
        self.antiwindup = antiwindup
        self.register_buffer("raw", torch.tensor(float(beta_initial)))
        self.register_buffer("last_error", torch.zeros(()))
        self.register_buffer("recent", torch.zeros(window))

    def near_target(self) -> Gains:
        """The sigmoid's slope at 0 is -1/4."""
        return Gains(self.kp / 4, -self.ki, self.recent.numel(), logarithmic=False)

    def _update(self, kl: Scalar, target: Scalar) -> dict[str, Tensor]:
        recent = torch.cat([self.recent[1:], kl.reshape(1)])
        error = target - recent.mean()
        proportional = self.kp * (torch.sigmoid(-error) - torch.sigmoid(-self.last_error))
        raw = self.raw + (proportional + _integrated(self, error))
        beta = raw.clamp(self.beta_min, self.beta_max)
        return {"recent": recent, "last_error": error, "raw": raw, "beta": beta}


class PositionalPI(AbstractController):
    """ControlVAE's controller: a non-linear PI controller in positional form.

        e_t    = target_t - KL_t
        I_t    = I_(t-1) + ki e_t
        beta_t = kp / (1 + exp(e_t)) + I_t + beta_min, bounded by beta_min and beta_max

    Arguments are those of IncrementalPI, but that beta starts at `beta_min`. With `antiwindup`
    "authors" and a set point well above the KL the unclipped weight falls below beta_min at the
    first step and the integral is frozen for ever.

    Source:
        Shao et al., ControlVAE, 2020, https://arxiv.org/abs/2004.05988; checked step by step
        against the authors' P_PID.py.

    Deviations:
        `antiwindup="conditional"` is ours and the default. `beta_max` is ours.
    """

    raw: Tensor
    integral: Tensor

    @checked
    def __init__(
        self,
        *,
        kp: NonNegative = 0.01,
        ki: Finite = -0.001,
        beta_min: NonNegative = 1.0,
        beta_max: float = math.inf,
        antiwindup: Antiwindup = "conditional",
    ) -> None:
        super().__init__(beta_min, beta_min=beta_min, beta_max=beta_max, kp=kp, ki=ki)
        self.antiwindup = antiwindup
        self.register_buffer("raw", torch.tensor(float(beta_min)))
        self.register_buffer("integral", torch.zeros(()))

    def near_target(self) -> Gains:
        """The sigmoid's slope at 0 is -1/4."""
        return Gains(self.kp / 4, -self.ki, 1, logarithmic=False)

    def _update(self, kl: Scalar, target: Scalar) -> dict[str, Tensor]:
        error = target - kl
        integral = self.integral + _integrated(self, error)
        raw = self.kp * torch.sigmoid(-error) + self.beta_min + integral
        beta = raw.clamp(self.beta_min, self.beta_max)
        return {"integral": integral, "raw": raw, "beta": beta}


class LogPI(AbstractController):
    """PI control of log beta: one pair of gains from beta 50 to beta 0.1.

        e_t     = target_t - mean of the last `window` KLs
        u_t     = u_(t-1) + kp (e_(t-1) - e_t) + ki e_t
        beta_t  = exp(u_t), u bounded by log beta_min and log beta_max

    KL falls by about sqrt(KL) nats, b, for each e-fold of beta, which changes far less over a run
    than the gain on beta itself (`docs/dynamicvae.md`). With a plant of gain b and lag tau,
    kp / |ki| = tau makes the closed loop first order with the time constant 1 / (b |ki|) steps.

    Arguments are those of IncrementalPI, but that `kp` is per nat, and the moving average short
    until `window` KLs were seen.

    Source:
        Ours; the rule for short runs of `methods/dynamicvae.py`, measured in
        `reproductions/foundation/`.
    """

    log_beta: Tensor
    last_error: Tensor
    recent: Tensor
    num_seen: Tensor

    @checked
    def __init__(
        self,
        *,
        kp: NonNegative = 0.2,
        ki: Finite = -0.004,
        beta_initial: Positive = 50.0,
        beta_min: Positive = 0.1,
        beta_max: float = 1000.0,
        window: Count = 5,
    ) -> None:
        super().__init__(beta_initial, beta_min=beta_min, beta_max=beta_max, kp=kp, ki=ki)
        self.register_buffer("log_beta", torch.tensor(math.log(beta_initial)))
        self.register_buffer("last_error", torch.zeros(()))
        self.register_buffer("recent", torch.zeros(window))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def near_target(self) -> Gains:
        """It is linear everywhere."""
        return Gains(self.kp, -self.ki, self.recent.numel(), logarithmic=True)

    def _update(self, kl: Scalar, target: Scalar) -> dict[str, Tensor]:
        recent = torch.cat([self.recent[1:], kl.reshape(1)])
        num_seen = self.num_seen + 1
        error = target - recent.sum() / num_seen.clamp(max=recent.numel())
        last = torch.where(num_seen == 1, error, self.last_error)
        moved = self.log_beta + self.kp * (last - error) + self.ki * error
        log_beta = moved.clamp(math.log(self.beta_min), math.log(self.beta_max))
        new = {"recent": recent, "num_seen": num_seen, "last_error": error}
        beta = log_beta.exp().clamp(self.beta_min, self.beta_max)  # exp of log may round past it
        return {**new, "log_beta": log_beta, "beta": beta}
