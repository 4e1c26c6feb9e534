"""AbstractController: a module for anybody's loop that holds KL at a set point by moving beta."""

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autobeta.types import Scalar
from autobeta.weighting._base import WideState, check_first


class Gains(NamedTuple):
    """A controller near its target, linear: u_t = u_(t-1) + kp (e_(t-1) - e_t) - ki e_t."""

    kp: float
    ki: float
    """Per nat and step, at least 0."""
    window: int
    """KLs in the mean that e is taken from."""
    logarithmic: bool
    """Whether u is log beta, not beta."""


class AbstractController(WideState):
    """Interface: `step(kl, target)` returns beta; all state is buffers, float32 or wider.

    In `eval()` a step returns the last beta and moves nothing. So it does where KL or target is
    not finite, so that one bad batch does no lasting harm. `kp`, at least 0, and `ki`, at most 0,
    are the gains of a PI controller; `beta_min` is below `beta_max`.
    """

    beta: Tensor
    target: Tensor

    def __init__(
        self,
        beta: float,
        *,
        beta_min: float = 0.0,
        beta_max: float = math.inf,
        kp: float = 0.0,
        ki: float = 0.0,
    ) -> None:
        super().__init__()
        if not -math.inf < ki <= 0:
            raise ValueError(
                f"`ki` must be at most 0, and finite; got {ki}. A positive value drives kl away "
                "from `target`."
            )
        if not hasattr(beta_max, "__float__"):
            raise TypeError(
                f"`beta_max` must be a number; got {beta_max!r}. Infinity is no bound."
            )
        if not 0 <= beta_min < beta_max:
            raise ValueError(
                f"`beta_min` must be in [0, `beta_max`); got {beta_min} and {beta_max}."
            )
        check_first(beta, beta_min, beta_max)
        self.kp, self.ki, self.beta_min, self.beta_max = kp, ki, beta_min, beta_max
        self.register_buffer("beta", torch.tensor(float(beta)))
        self.register_buffer("target", torch.zeros(()))

    @torch.no_grad()
    def step(self, kl: Any, target: Any) -> Scalar:  # noqa: ANN401 - any number
        """Take the KL of a batch and its set point, return the weight for the same batch.

        The KL is summed over latents, nats per image. Both are a number, or a tensor or array that
        holds one; a ValueError if it holds several, or none, a TypeError if it is something else.
        """
        if self.training:
            measured, wanted = self._number("kl", kl), self._number("target", target)
            self._write({"target": wanted, **self._update(measured, wanted)}, measured)
        return self.beta.clone()

    @abstractmethod
    def near_target(self) -> Gains:
        """Gains of the linear controller that it is near its target."""

    @abstractmethod
    def _update(self, kl: Scalar, target: Scalar) -> dict[str, Tensor]:
        """The buffers' values after a step, the bounded `beta` among them; it writes nothing."""

    def _number(self, name: str, value: Any) -> Scalar:  # noqa: ANN401
        if isinstance(value, float | int):  # filled, not copied: the device need not wait
            too_large = abs(value) > torch.finfo(self.beta.dtype).max
            return torch.full_like(self.beta, math.inf if too_large else value)
        try:
            number = torch.as_tensor(value, dtype=self.beta.dtype, device=self.beta.device)
        except TypeError as error:
            raise TypeError(
                f"`{name}` must be a number, nats per image, or a tensor or array that holds one; "
                f"got {value!r}. Convert it."
            ) from error
        if number.numel() != 1:
            raise ValueError(
                f"`{name}` must be one number, summed over latents and averaged over the batch; "
                f"got shape {tuple(number.shape)}. Take .mean() of one value per image, .sum() of "
                "one per latent."
            )
        return number.reshape(())
