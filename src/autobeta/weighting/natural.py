"""Variances that follow the two terms by natural gradient, without an optimiser (L-VAE)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from autobeta.rules import (
    Count,
    LearningRate,
    NonNegative,
    Positive,
    PositiveWeight,
    StepsOrNone,
    Window,
    checked,
)
from autobeta.types import Scalar, Terms
from autobeta.weighting._base import AbstractWeighting, check_terms, weighted_sum
from autobeta.weighting.learned import (
    LOWEST,
    Regulariser,
    check_sizes,
    fixed_point,
)

Wait = Literal["explained", "records", "never"]
Size = Float[Tensor, " size"]
_NONE = torch.finfo(torch.float32).max  # no level yet: finite, as a checkpoint must be
_SHARE = 0.119  # of the constant image's cost: below it an exponential curve R(K) has a balance


class NaturalWeights(AbstractWeighting):
    """L-VAE's balance by natural gradient; a rise of beta is earned by the reconstruction.

        loss    = reconstruction + sum_j beta_j kl_j,   beta_j = unit s_0 / s_j
        log:      s_i <- s_i + rate (c_i - s_i),   c_0 = reconstruction / unit, c_j = kl_j
        log1p:    s_i <- s_i + rate (c_i / 2 - s_i^2 / (1 + s_i));   both s_j at least `floor`
        records:  while m_t > min_(u < t) m_u, s_j is at least unit s_0 / beta_j,
                  so that no beta_j rises;   m_t = m_(t-1) + (reconstruction_t - m_(t-1)) / window
        explained: the same, but only while m_t is at least 0.119 times the constant image's cost

    A step is that of the loss of `LearnedWeights` on s_i in the metric of a Gaussian's variance,
    1 / (2 s^2), halved for log1p, so that a constant term is approached without overshoot at any
    `rate` in [0, 1]. Under "log" s_i is the moving average of its term over 1 / rate steps: of a
    former level, however large, the share (1 - rate)^n is left after n steps.

    The network's loss is that of `LearnedWeights` over the reconstruction's weight. The balance is
    the same, and Adam, which keeps the scale of former gradients, sees no jump when it begins.

    During `warmup` steps beta is `beta_initial`. Then s_0 begins at its `fixed_point` for the mean
    of the warm-up's second half (without one, for the first batch), and beta at `beta_initial`
    (`start` "ones") or at the ratio of both fixed points. `wait` "records" lets beta rise only in
    steps at which m, the reconstruction's average, is at its lowest; "explained" also in those at
    which m is so low that there is a balance to go to; "never" lets it always. `constant` is the
    cost of the best constant image, in nats; without it "explained" is "records".

    `num_weights` is 1, or the number of latents where the KL is a vector over them; `unit` and
    `floor` are those of `LearnedWeights`, `window` is in steps.

    Source:
        As `LearnedWeights`; the step is that of Amari, Natural Gradient Works Efficiently in
        Learning, 1998.

    Deviations:
        How L-VAE's paper moves its weights is not known to us; step, division, start and wait are
        ours.

    Example:
        >>> weighting = NaturalWeights(beta_initial=2.0)
        >>> terms = {"reconstruction": torch.tensor(30.0), "kl": torch.tensor(20.0)}
        >>> weighting(terms, step=0)
        tensor(70.)
    """

    beta: Tensor
    variance_reconstruction: Tensor
    variance_kl: Tensor
    mean_reconstruction: Tensor
    mean_kl: Tensor
    level: Tensor
    lowest: Tensor

    @checked
    def __init__(
        self,
        *,
        num_weights: Count = 1,
        regulariser: Regulariser = "log",
        unit: Positive = 1.0,
        floor: NonNegative = 0.0,
        rate: LearningRate = 1e-3,
        warmup: StepsOrNone = 0,
        start: Literal["ones", "fixed_point"] = "ones",
        beta_initial: PositiveWeight = 1.0,
        wait: Wait = "explained",
        window: Window = 100,
        constant: Positive | None = None,
    ) -> None:
        super().__init__()
        self.regulariser, self.unit, self.floor = regulariser, unit, floor
        self.rate, self.warmup, self.start = rate, warmup, start
        self.wait, self.window = wait, window
        self.explained = 0.0 if constant is None else _SHARE * constant
        self.register_buffer("beta", torch.full((num_weights,), beta_initial))
        self.register_buffer("variance_reconstruction", torch.zeros(()))  # 0: not begun
        self.register_buffer("variance_kl", torch.full((num_weights,), unit / beta_initial))
        self.register_buffer("mean_reconstruction", torch.zeros(()))
        self.register_buffer("mean_kl", torch.zeros(num_weights))
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("lowest", torch.tensor(_NONE))

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step, with the variances that its terms have moved."""
        check_terms(terms, "reconstruction", "kl")
        check_sizes(terms, {"kl": self.beta.numel()})
        if self.training:
            self._update(terms, step)
        beta = self.beta.reshape(terms["kl"].shape).to(terms["kl"].dtype, copy=True)
        return weighted_sum(terms, {"kl": beta})

    @torch.no_grad()
    def _update(self, terms: Terms, step: int) -> None:
        r = terms["reconstruction"].detach().to(self.level.dtype).reshape(())
        k = terms["kl"].detach().to(self.level.dtype).reshape(-1)
        new = self._progress(r)
        if step < self.warmup:
            new |= self._measured(r, k, step)
        else:
            earned = new["level"] <= self.lowest
            if self.wait == "explained":
                earned |= new["level"] < self.explained
            measured = self.mean_reconstruction != 0  # not without a warm-up that could be read
            mean_r = torch.where(measured, self.mean_reconstruction, r)
            begun = self._begun(mean_r, torch.where(measured, self.mean_kl, k))
            moved = self._moved(r, k, waits=~earned)
            first = self.variance_reconstruction == 0
            new |= {name: torch.where(first, begun[name], moved[name]) for name in begun}
        self._write(new, r, k)

    def _progress(self, r: Scalar) -> dict[str, Tensor]:
        level = self.level + (r - self.level) / self.window
        level = torch.where(self.lowest == _NONE, r, level)
        return {"level": level, "lowest": torch.minimum(level, self.lowest)}

    def _measured(self, r: Scalar, k: Size, step: int) -> dict[str, Tensor]:
        counted = max(0, step - self.warmup // 2) + 1  # of the second half alone
        means = {
            "mean_reconstruction": (self.mean_reconstruction, r),
            "mean_kl": (self.mean_kl, k),
        }
        return {name: mean + (value - mean) / counted for name, (mean, value) in means.items()}

    def _begun(self, r: Scalar, k: Size) -> dict[str, Tensor]:
        s_r = fixed_point(r / self.unit, self.regulariser).clamp(min=LOWEST)
        if self.start == "ones":
            s_k = (self.unit * s_r / self.beta).clamp(min=self.floor)
        else:
            s_k = fixed_point(k, self.regulariser).clamp(min=max(self.floor, LOWEST))
        return self._state(s_r, s_k)

    def _moved(self, r: Scalar, k: Size, *, waits: Tensor) -> dict[str, Tensor]:
        s_r = self._step(self.variance_reconstruction, r / self.unit)
        s_k = self._step(self.variance_kl, k).clamp(min=self.floor)
        if self.wait != "never":
            s_k = torch.where(waits, torch.maximum(s_k, self.unit * s_r / self.beta), s_k)
        return self._state(s_r, s_k)

    def _step(self, s: Tensor, cost: Tensor) -> Tensor:
        move = cost - s if self.regulariser == "log" else cost / 2 - s.square() / (1 + s)
        return (s + self.rate * move).clamp(min=LOWEST)

    def _state(self, s_r: Scalar, s_k: Size) -> dict[str, Tensor]:
        beta = self.unit * s_r / s_k
        return {"variance_reconstruction": s_r, "variance_kl": s_k, "beta": beta}
