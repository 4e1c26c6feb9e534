"""PI control of the KL weight: controllers for anybody's loop, and the weighting that uses one.

A controller holds KL at a set point by moving beta. Its integral gain is negative, as in the
authors' code: too little KL (a positive error) lowers beta.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, weighted_sum
from autobeta.weighting.schedules import Schedule

Number = float | int | Float[Tensor, ""]


class Gains(NamedTuple):
    """A controller near its target, where it is linear.

        u_t = u_(t-1) + kp (e_(t-1) - e_t) - ki e_t

    Args:
        kp: Proportional gain per nat.
        ki: Integral gain per nat and step, at least 0.
        window: KLs in the mean that e is taken from.
        logarithmic: Whether u is log beta, not beta.
    """

    kp: float
    ki: float
    window: int
    logarithmic: bool


class AbstractController(nn.Module):
    """Interface: `step(kl, target)` returns beta; all state is buffers.

    State stays float32 or wider under `.half()` and `.bfloat16()`, since its increments are far
    below what these formats resolve. In `eval()` a step returns the last beta and moves nothing.
    """

    beta: Tensor
    target: Tensor

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.register_buffer("beta", torch.tensor(float(beta)))
        self.register_buffer("target", torch.zeros(()))

    @torch.no_grad()
    def step(self, kl: Number, target: Number) -> Float[Tensor, ""]:
        """Take the KL of a batch and its set point, return the weight for the same batch.

        Args:
            kl: KL of the batch, summed over latents, nats per image.
            target: Set point, nats.

        Returns:
            beta, a 0-d tensor without a graph.
        """
        if self.training:
            measured = torch.as_tensor(kl, dtype=self.beta.dtype, device=self.beta.device)
            if isinstance(target, Tensor):
                self.target.copy_(target)
            else:
                self.target.fill_(target)  # a number: no copy that a device must wait for
            self.beta.copy_(self._update(measured, self.target))
        return self.beta.clone()

    @abstractmethod
    def near_target(self) -> Gains:
        """Gains of the linear controller that it is near its target."""

    @abstractmethod
    def _update(self, kl: Float[Tensor, ""], target: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Advance the state by one step and return the bounded beta."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        def keep_wide(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            narrow = moved.is_floating_point() and torch.finfo(moved.dtype).bits < 32
            return tensor.to(moved.device) if narrow else moved

        return super()._apply(keep_wide, recurse)


def _check_gains(ki: float, beta_min: float, beta_max: float, antiwindup: str) -> None:
    if ki > 0:
        raise ValueError(
            f"`ki` must be at most 0; got {ki}. A positive value drives kl away from `target`."
        )
    if not 0 <= beta_min < beta_max:
        raise ValueError(f"`beta_min` must be in [0, `beta_max`); got {beta_min} and {beta_max}.")
    if antiwindup not in ("conditional", "authors"):
        raise ValueError(f"`antiwindup` must be 'conditional' or 'authors'; got {antiwindup!r}.")


def _winds_up(
    raw: Tensor, increment: Tensor, beta_min: float, beta_max: float, antiwindup: str
) -> Tensor:
    """Whether to drop an integral increment: it would push further out of bounds.

    The authors drop it below the floor in either direction, so their controllers stay there.
    """
    if antiwindup == "authors":
        return raw < beta_min
    return ((raw <= beta_min) & (increment < 0)) | ((raw >= beta_max) & (increment > 0))


class IncrementalPI(AbstractController):
    """DynamicVAE's controller: a non-linear PI controller in incremental form.

        e_t    = target_t - mean of the last `window` KLs
        phi(e) = 1 / (1 + exp(e))
        w_t    = w_(t-1) + kp (phi(e_t) - phi(e_(t-1))) + ki e_t
        beta_t = w_t bounded by beta_min and beta_max

    e_0 = 0, and the window is filled with zeros at the start.

    Args:
        kp: Proportional gain, at least 0.
        ki: Integral gain per nat and step, at most 0.
        beta_initial: w_0.
        beta_min: Lower bound of beta.
        beta_max: Upper bound of beta; the authors have none.
        window: Number of KLs in the moving average.
        antiwindup: "conditional" leaves the integral increment out only where it would push w
            further out of bounds; "authors" leaves it out wherever w < beta_min, in either
            direction, so a controller that reached its floor stays there.

    Raises:
        ValueError: If a gain, a bound or `window` breaks its rule.

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

    def __init__(
        self,
        *,
        kp: float = 0.01,
        ki: float = -0.005,
        beta_initial: float = 50.0,
        beta_min: float = 0.1,
        beta_max: float = math.inf,
        window: int = 5,
        antiwindup: str = "conditional",
    ) -> None:
        super().__init__(beta_initial)
        _check_gains(ki, beta_min, beta_max, antiwindup)
        if window < 1:
            raise ValueError(f"`window` must be at least 1 step; got {window}.")
        self.kp, self.ki = kp, ki
        self.beta_min, self.beta_max = beta_min, beta_max
        self.antiwindup = antiwindup
        self.register_buffer("raw", torch.tensor(float(beta_initial)))
        self.register_buffer("last_error", torch.zeros(()))
        self.register_buffer("recent", torch.zeros(window))

    def near_target(self) -> Gains:
        """The sigmoid's slope at 0 is -1/4."""
        return Gains(self.kp / 4, -self.ki, self.recent.numel(), logarithmic=False)

    def _update(self, kl: Float[Tensor, ""], target: Float[Tensor, ""]) -> Float[Tensor, ""]:
        self.recent.copy_(torch.cat([self.recent[1:], kl.reshape(1)]))
        error = target - self.recent.mean()
        proportional = self.kp * (torch.sigmoid(-error) - torch.sigmoid(-self.last_error))
        integral = self.ki * error
        frozen = _winds_up(self.raw, integral, self.beta_min, self.beta_max, self.antiwindup)
        self.raw.add_(proportional + torch.where(frozen, torch.zeros_like(integral), integral))
        self.last_error.copy_(error)
        return self.raw.clamp(self.beta_min, self.beta_max)


class PositionalPI(AbstractController):
    """ControlVAE's controller: a non-linear PI controller in positional form.

        e_t    = target_t - KL_t
        I_t    = I_(t-1) + ki e_t
        beta_t = kp / (1 + exp(e_t)) + I_t + beta_min, bounded by beta_min and beta_max

    Args:
        kp: Proportional gain, at least 0.
        ki: Integral gain per nat and step, at most 0.
        beta_min: Lower bound of beta, and its value at rest.
        beta_max: Upper bound of beta; the authors have none for disentangling.
        antiwindup: As in IncrementalPI. With "authors" and a set point well above the KL the raw
            weight falls below beta_min at the first step and the integral is frozen for ever.

    Raises:
        ValueError: If a gain or a bound breaks its rule.

    Source:
        Shao et al., ControlVAE, 2020, https://arxiv.org/abs/2004.05988; checked step by step
        against the authors' P_PID.py.

    Deviations:
        `antiwindup="conditional"` is ours and the default. `beta_max` is ours.

    Example:
        >>> controller = PositionalPI()
        >>> beta = controller.step(kl=3.2, target=0.5)
    """

    raw: Tensor
    integral: Tensor

    def __init__(
        self,
        *,
        kp: float = 0.01,
        ki: float = -0.001,
        beta_min: float = 1.0,
        beta_max: float = math.inf,
        antiwindup: str = "conditional",
    ) -> None:
        super().__init__(beta_min)
        _check_gains(ki, beta_min, beta_max, antiwindup)
        self.kp, self.ki = kp, ki
        self.beta_min, self.beta_max = beta_min, beta_max
        self.antiwindup = antiwindup
        self.register_buffer("raw", torch.tensor(float(beta_min)))
        self.register_buffer("integral", torch.zeros(()))

    def near_target(self) -> Gains:
        """The sigmoid's slope at 0 is -1/4."""
        return Gains(self.kp / 4, -self.ki, 1, logarithmic=False)

    def _update(self, kl: Float[Tensor, ""], target: Float[Tensor, ""]) -> Float[Tensor, ""]:
        error = target - kl
        increment = self.ki * error
        frozen = _winds_up(self.raw, increment, self.beta_min, self.beta_max, self.antiwindup)
        self.integral.add_(torch.where(frozen, torch.zeros_like(increment), increment))
        self.raw.copy_(self.kp * torch.sigmoid(-error) + self.beta_min + self.integral)
        return self.raw.clamp(self.beta_min, self.beta_max)


class LogPI(AbstractController):
    """PI control of log beta: one pair of gains from beta 50 to beta 0.1.

        e_t     = target_t - mean of the last `window` KLs
        u_t     = u_(t-1) + kp (e_(t-1) - e_t) + ki e_t
        beta_t  = exp(u_t), u bounded by log beta_min and log beta_max

    KL falls by a roughly constant number of nats, b, for each e-fold of beta, while
    |dKL/dbeta| = b / beta grows 500-fold from beta 50 to 0.1. So a linear gain that is stable at
    the end of a run is far too slow at its start; a gain on log beta fits both ends. With a plant
    of gain b and lag tau, kp / |ki| = tau makes the closed loop first order with the time
    constant 1 / (b |ki|) steps.

    Args:
        kp: Proportional gain per nat, at least 0.
        ki: Integral gain per nat and step, at most 0.
        beta_initial: First beta.
        beta_min: Lower bound of beta, positive.
        beta_max: Upper bound of beta.
        window: Number of KLs in the moving average; it is short until that many were seen.

    Raises:
        ValueError: If a gain, a bound or `window` breaks its rule.

    Source:
        Ours; the rule for short runs of `methods/dynamicvae.py`, measured in
        `reproductions/foundation/`.

    Example:
        >>> controller = LogPI()
        >>> beta = controller.step(kl=3.2, target=0.5)
    """

    log_beta: Tensor
    last_error: Tensor
    recent: Tensor
    num_seen: Tensor

    def __init__(
        self,
        *,
        kp: float = 0.2,
        ki: float = -0.004,
        beta_initial: float = 50.0,
        beta_min: float = 0.1,
        beta_max: float = 1000.0,
        window: int = 5,
    ) -> None:
        super().__init__(beta_initial)
        _check_gains(ki, beta_min, beta_max, "conditional")
        if not beta_min > 0:
            raise ValueError(f"`beta_min` must be positive on a log scale; got {beta_min}.")
        if window < 1:
            raise ValueError(f"`window` must be at least 1 step; got {window}.")
        self.kp, self.ki = kp, ki
        self.beta_min, self.beta_max = beta_min, beta_max
        self.register_buffer("log_beta", torch.tensor(math.log(beta_initial)))
        self.register_buffer("last_error", torch.zeros(()))
        self.register_buffer("recent", torch.zeros(window))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def near_target(self) -> Gains:
        """It is linear everywhere."""
        return Gains(self.kp, -self.ki, self.recent.numel(), logarithmic=True)

    def _update(self, kl: Float[Tensor, ""], target: Float[Tensor, ""]) -> Float[Tensor, ""]:
        self.recent.copy_(torch.cat([self.recent[1:], kl.reshape(1)]))
        self.num_seen.add_(1)
        average = self.recent.sum() / self.num_seen.clamp(max=self.recent.numel())
        error = target - average
        last = torch.where(self.num_seen == 1, error, self.last_error)
        moved = self.log_beta + self.kp * (last - error) + self.ki * error
        self.log_beta.copy_(moved.clamp(math.log(self.beta_min), math.log(self.beta_max)))
        self.last_error.copy_(error)
        return self.log_beta.exp()


class ControlledKL(AbstractWeighting):
    """loss = reconstruction + beta * kl, with beta from a controller and a set-point schedule.

    Args:
        controller: IncrementalPI, PositionalPI, LogPI, or any other with the same interface.
        target: Schedule of the KL's set point, nats.
        hold: The set point rests at steps where beta is below this, and then follows the
            schedule by at most `catch_up` nats per step. 0 follows the schedule to the letter.
        catch_up: Largest rise per step, nats, where there is a hold.

    Example:
        >>> from autobeta.weighting import schedules
        >>> weighting = ControlledKL(IncrementalPI(), schedules.constant(20.0))
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(20.0)}
        >>> float(weighting(terms, step=0)) > 1000
        True
    """

    def __init__(
        self,
        controller: AbstractController,
        target: Schedule,
        *,
        hold: float = 0.0,
        catch_up: float = math.inf,
    ) -> None:
        super().__init__()
        self.controller = controller
        self._target = target
        self._hold = hold
        self._catch_up = catch_up

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, weighed with the beta that this step's KL gives."""
        target = self._held_target(step) if self._hold else self._target(step)
        beta = self.controller.step(terms["kl"].detach().sum(), target)
        return weighted_sum(terms, {"kl": beta.to(terms["kl"].dtype)})

    def _held_target(self, step: int) -> Number:
        scheduled = self._target(step)
        if step == 0:
            return scheduled
        held = self.controller.target
        risen = (held + self._catch_up).clamp(max=scheduled)
        return torch.where(self.controller.beta >= self._hold, risen, held)
