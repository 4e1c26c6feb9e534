"""SelfTuningPI: PI control of log beta that identifies its plant while it runs, for any loop."""

import math
from types import MappingProxyType

import torch
from torch import Tensor

from autobeta.rules import Count, NonNegative, Positive, checked
from autobeta.types import Scalar
from autobeta.weighting._controller import AbstractController, Gains

LAGS = (4.0, 8.0, 16.0)  # steps, of the plants that are compared
_LIKELY_LAG = 8.0  # steps, of the prior: about the memory of Adam's gradient
_DOUBT = 0.3  # standard deviation of the prior of the gain's coefficient, whose mean is 1
_LEAST = 0.5  # the least coefficient that is believed
_DRIFT = 24.0  # steps, of the two high-pass filters that take the network's learning out
_MEMORY = 1000.0  # steps, of the identification
_CORRELATED = 2.0  # so many batches count as one, since their KLs' deviations are alike
_MEASURABLE = 1.0  # nats of KL, from which the plant is identified
_SMALL = 0.5  # nats of KL, below which the gain is taken not to fall
_NOISE = 0.1  # e-folds, the most that the noise of the batches may move log beta
_SLOWEST = 200.0  # steps, of the closed loop, however noisy the KL seems
_FALL = 0.01  # e-folds, the most that the integral lowers log beta in a step, while KL is
_FOLLOWS = 0.8  # of the set point or less
_MARGIN = 0.3  # nats: a rise of the set point is passed on whole to a KL so far above it, and
# not at all to one twice as far
_SIGNS = tuple(float(f"{s}1") for s in "+++++---++-+++-+-+----+--+-++--")  # maximum-length, 31
_CLOCK = 8  # steps of each


class SelfTuningPI(AbstractController):
    """PI control of log beta with gains that follow from the plant, identified as it runs.

        m_t    = mean of the last `window` KLs
        u_t    = u_(t-1) - f(C_t, C_(t-1)) + kp (m_t - m_(t-1)) - ki (C_t - m_t)
        f      = 2 (sqrt(C_t) - sqrt(C_(t-1))) / a, less where m is 0.3 nats above C, 0 from 0.6
        beta_t = exp(u_t + dither_t), u bounded by log beta_min and log beta_max

    with C the set point. While the average of KL is below 0.8 C, the integral lowers u by at most
    0.01 in a step: the network has nothing to give, and a small beta would not help. KL counts as
    at most 1.5 m + 3, so that one odd batch does no lasting harm.

    The plant is KL = drift - a sqrt(K) F(log beta) + noise, K the average of KL over some 24
    steps: b = a sqrt(K) nats for each e-fold of beta, through a first-order lag F. The square root
    is what a linear VAE has whose latents' variances fall geometrically: each active latent gives
    half a nat for each e-fold, and KL grows with the square of their number; f is its inverse. a
    and the lag are found by instrumental variables: KL and log beta, high-pass filtered so that
    the network's learning falls out, are regressed on the answer to the dither, which nothing
    else is correlated with, with a memory of 1,000 steps; those with a KL of at least 1 nat count.
    That is done once for each of a bank of lags, and averaged by their likelihood and a prior of
    the lag (8 steps within a factor of 2). The prior of a is 1 with a standard deviation of 0.3,
    so that a poor identification leaves it in force. The gains follow by lambda tuning,

        T  = 1.5 (lag + (max(window, 5) + 1) / 2),
             or so long that noise moves log beta by less than 0.1, but at most 200
        ki = 1 / (b T),   kp = (lag - 1) ki

    which leaves a gain margin of at least 3 where 3 steps of the lag are dead time. The dither has
    the signs of a maximum-length sequence, 8 steps each, and up to `dither` e-folds: all where a's
    standard error is 0.35 a or more, none at 0.15 a.

    Logged are `plant_gain` and `plant_gain_error` (b, nats for each e-fold of beta), `plant_lag`
    and `plant_lag_error` (steps), `noise` (standard deviation of a batch's KL, nats),
    `proportional` and `integral` (the gains in force, per nat; the second per step).

    Source:
        Ours; measurements in `docs/dynamicvae.md`. Half a nat for each e-fold is the reverse
        water-filling of Cover & Thomas, Elements of Information Theory, 2006, theorem 10.3.3;
        lambda tuning is Dahlin's, 1968.

    Example:
        >>> controller = SelfTuningPI()
        >>> beta = controller.step(kl=3.2, target=0.5)
    """

    log_beta: Tensor
    recent: Tensor
    num_seen: Tensor
    last_mean: Tensor
    last_kl: Tensor
    answers: Tensor
    drifts: Tensor
    moments: Tensor
    spread: Tensor
    noise: Tensor
    plant_gain: Tensor
    plant_gain_error: Tensor
    plant_lag: Tensor
    plant_lag_error: Tensor
    proportional: Tensor
    integral: Tensor
    lags: Tensor
    signs: Tensor
    added = MappingProxyType({"lags": LAGS, "signs": _SIGNS})

    @checked
    def __init__(
        self,
        *,
        beta_initial: Positive = 50.0,
        beta_min: Positive = 0.1,
        beta_max: float = 1000.0,
        window: Count = 5,
        dither: NonNegative = 0.05,
    ) -> None:
        super().__init__(beta_initial, beta_min=beta_min, beta_max=beta_max)
        self.dither = dither
        for name, values in self.added.items():
            self.register_buffer(name, torch.tensor(values))
        self.register_buffer("log_beta", torch.tensor(math.log(beta_initial)))
        self.register_buffer("recent", torch.zeros(window))
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))
        for name in ("last_mean", "last_kl", "noise", "spread", "proportional", "integral"):
            self.register_buffer(name, torch.zeros(()))
        start = torch.tensor([[math.log(beta_initial)], [0.0]])
        self.register_buffer("answers", start.repeat(1, len(LAGS)))
        self.register_buffer("drifts", torch.zeros(2, 2 * len(LAGS) + 1))
        self.register_buffer("moments", torch.zeros(3, len(LAGS)))
        self.register_buffer("plant_gain", torch.tensor(math.sqrt(_SMALL)))
        self.register_buffer("plant_gain_error", torch.tensor(_DOUBT * math.sqrt(_SMALL)))
        self.register_buffer("plant_lag", torch.tensor(_LIKELY_LAG))
        self.register_buffer("plant_lag_error", torch.tensor(_LIKELY_LAG * math.log(2)))

    def near_target(self) -> Gains:
        """The gains in force; of an untouched controller none."""
        kp, ki = float(self.proportional), float(self.integral)
        return Gains(kp, ki, self.recent.numel(), logarithmic=True)

    def _update(self, kl: Scalar, target: Scalar) -> dict[str, Tensor]:
        first = self.num_seen == 0
        kl = torch.where(first, kl, kl.minimum(1.5 * self.last_mean + 3))
        recent = torch.cat([self.recent[1:], kl.reshape(1)])
        mean = recent.sum() / (self.num_seen + 1).clamp(max=recent.numel())
        # of the steps before, so that the gains do not move with the noise that they act on
        level = torch.where(first, kl, self.drifts[0, 0].maximum(self.last_mean / 2))
        root = level.clamp(min=_SMALL).sqrt()
        plant = self._identify(kl, root, first)
        gains = self._tune(plant)
        roots = torch.stack([target, self.target]).clamp(min=_SMALL).sqrt()
        needed = ((target - mean) / _MARGIN + 2).clamp(0, 1)
        rise = (roots[0] - roots[1]).masked_fill(first, 0.0) * needed
        rise = 2 * rise * root / plant["plant_gain"]
        change = gains["proportional"] * (mean - self.last_mean).masked_fill(first, 0.0)
        integral = gains["integral"] * (mean - target)
        follows = level >= _FOLLOWS * target
        integral = torch.where(follows, integral, integral.clamp(min=-_FALL))
        low, high = math.log(self.beta_min), math.log(self.beta_max)
        log_beta = (self.log_beta - rise + change + integral).clamp(low, high)
        doubt = plant["plant_gain_error"] / plant["plant_gain"]
        sign = self.signs.take(self.num_seen // _CLOCK % len(_SIGNS))  # [] would wait for CUDA
        dither = self.dither * sign * (5 * doubt - 0.75).clamp(0, 1)
        beta = (log_beta + dither).exp().clamp(self.beta_min, self.beta_max)
        new = {"log_beta": log_beta, "beta": beta, "recent": recent, "last_mean": mean}
        return {**new, **plant, **gains, "last_kl": kl, "num_seen": self.num_seen + 1}

    def _identify(self, kl: Scalar, root: Scalar, first: Tensor) -> dict[str, Tensor]:
        """The plant after the KL that the last beta has led to."""
        moves = torch.stack([self.beta.log(), self.beta.log() - self.log_beta])  # whole, dither
        answers = self.answers + (moves[:, None] - self.answers) / self.lags
        signals = torch.cat([kl.reshape(1), answers.reshape(-1)])
        slow = torch.where(first, signals, self.drifts[0] + (signals - self.drifts[0]) / _DRIFT)
        slower = self.drifts[1] + (signals - slow - self.drifts[1]) / _DRIFT
        fast = signals - slow - slower
        whole, dither = root * fast[1:].reshape(2, -1)
        seen = self.num_seen + 1
        known = (kl >= _MEASURABLE) & (seen > _DRIFT)
        variance = torch.maximum(self.spread, self.noise.square()).clamp(min=1e-12)
        weight = known / (_CORRELATED * variance)
        products = torch.stack([-fast[0] * dither, whole * dither, dither.square()])
        moments = self.moments * (1 - 1 / _MEMORY) + products * weight
        spread = self.spread + (fast[0].square() - self.spread) / seen.clamp(max=_DRIFT)
        most = 1.5 * kl.minimum(self.last_kl) + 3  # as of one odd batch, the first among them
        change = (kl - self.last_kl).abs().minimum(most)
        change = change.square().masked_fill(first, 0.0) / 2
        variance = self.noise.square()
        noise = (variance + (change - variance) / seen.clamp(max=_MEMORY)).sqrt()
        state = {"answers": answers, "drifts": torch.stack([slow, slower]), "moments": moments}
        return {**state, "spread": spread, "noise": noise, **self._posterior(moments, root)}

    def _posterior(self, moments: Tensor, root: Tensor) -> dict[str, Tensor]:
        """Gain and lag: the average over the lags, by likelihood and prior."""
        answer, moved, power = moments[0], moments[1], moments[2].clamp(min=1e-12)
        precision = _DOUBT**-2 + moved.square() / power
        scales = (_DOUBT**-2 + moved * answer / power) / precision
        likely = -0.5 * ((self.lags / _LIKELY_LAG).log() / math.log(2)).square()
        share = torch.softmax(likely + 0.5 * answer * answer.abs() / power, 0)
        gain = (share * scales).sum()
        error = (share * (1 / precision + (scales - gain).square())).sum().sqrt()
        logs = self.lags.log()
        lag = (share * logs).sum()
        lag_error = lag.exp() * (share * (logs - lag).square()).sum().sqrt()
        found = {"plant_gain": root * gain.clamp(min=_LEAST), "plant_gain_error": root * error}
        return {**found, "plant_lag": lag.exp(), "plant_lag_error": lag_error}

    def _tune(self, plant: dict[str, Tensor]) -> dict[str, Tensor]:
        """Lambda tuning: the closed loop's time constant, and the gains for it."""
        gain, lag, window = plant["plant_gain"], plant["plant_lag"], max(self.recent.numel(), 5)
        quiet = ((plant["noise"] / gain / _NOISE).square() / 2).clamp(max=_SLOWEST)
        settling = torch.maximum(1.5 * (lag + (window + 1) / 2), quiet)
        integral = 1 / (gain * settling)
        return {"integral": integral, "proportional": (lag - 1) * integral}
