"""Rate annealing: beta falls from large to 1, so fast that KL grows at a set rate. Our own.

    loss = reconstruction + beta_t * kl

By rate-distortion theory beta is the slope -dD/dR at which training sits, and 1 that of the ELBO's
optimum. So a run that lowers beta to 1 needs no set point: it ends where the ELBO says. Only the
way there is controlled, by a pacemaker p that KL follows:

    p_t = p_(t-1) + min(rate, lead - e_(t-1))          e_t = p_t - mean of the last 5 KLs
    log beta_t from `LogPI` on e_t, beta bounded below by beta_min = 1

`rate` is `growth` nats over the length of the run. The pacemaker is never more than `lead` nats
ahead of KL, so it waits while the network has not yet learned to use more nats, and beta falls by
at most lead |ki| e-folds per step. Where KL outruns the pacemaker beta rises again. Once KL has
reached what beta 1 gives, beta stays there.

Stability: while the pacemaker runs free the loop is that of `control.loop`, its poles do not
depend on the rate, and KL grows at `rate`, rate / (b |ki|) nats behind, for a plant of b nats per
e-fold. While it waits e is constant, so that there is no feedback at all: log beta falls in a
straight line to its floor. `docs/rateanneal.md` has both, and a comparison with DynamicVAE and
L-VAE.

Deviations:
    None; there is no paper.
"""

from dataclasses import dataclass

from torch import Tensor

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.types import Scalar, Terms
from autobeta.weighting import AbstractWeighting, LogPI

SOURCE = "Ours: autobeta, docs/rateanneal.md"
CITATION = """@software{autobeta,
  title = {autobeta: variational autoencoders whose loss weights set themselves},
  note = {Method rateanneal}
}"""
ADAPTS = "beta, controlled so that KL grows at a set rate until beta is 1"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of rate annealing."""

    growth: float = 40.0
    """Nats that KL would grow by in the whole run at the set rate; more than the ELBO's optimum
    has, or beta won't reach its floor."""
    lead: float = 1.0
    """Nats that the pacemaker may be ahead of KL."""
    kp: float = 0.05
    """Proportional gain of LogPI, per nat."""
    ki: float = -0.004
    """Integral gain of LogPI, per nat and step."""
    beta_initial: float = 50.0
    """First beta."""
    beta_min: float = 1.0
    """Last beta; 1 is the ELBO."""
    window: int = 5
    """Batches in the moving average of the KL."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {}


class PacedKL(AbstractWeighting):
    """loss = reconstruction + beta * kl, with beta such that KL grows at a set rate.

    Args:
        controller: Moves log beta; its lower bound is the beta that the run ends with.
        rate: Nats per step, positive.
        lead: Nats that the pacemaker may be ahead of the mean KL, positive.

    Raises:
        ValueError: If `rate` or `lead` is not positive.

    Example:
        >>> import torch
        >>> weighting = PacedKL(LogPI(beta_min=1.0), rate=0.002)
        >>> terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(0.0)}
        >>> losses = [float(weighting(terms, step)) for step in range(1000)]
        >>> round(float(weighting.pace.target), 3)  # KL rests at 0, the pacemaker waits
        1.0
    """

    def __init__(self, controller: LogPI, *, rate: float, lead: float = 1.0) -> None:
        super().__init__()
        for name, value in {"rate": rate, "lead": lead}.items():
            if not value > 0:
                raise ValueError(f"`{name}` must be positive, in nats; got {value}.")
        # not named controller: its target is no set point, and KL need not be near it at the end
        self.pace = controller
        self._rate, self._lead = rate, lead

    def forward(self, terms: Terms, step: int) -> Scalar:
        """Loss of this step."""
        del step
        pacemaker: Tensor = self.pace.target
        risen = pacemaker + (self._lead - self.pace.last_error).clamp(max=self._rate)
        beta = self.pace.step(terms["kl"].detach().sum(), risen)
        return terms["reconstruction"] + beta.to(terms["kl"].dtype) * terms["kl"].sum()


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of rate annealing.

    Raises:
        ValueError: If `growth` or `lead` is not positive.
    """
    del num_latents, num_train, image_shape
    if not config.growth > 0:
        raise ValueError(f"`growth` must be positive, nats per run; got {config.growth}.")
    controller = LogPI(
        kp=config.kp,
        ki=config.ki,
        beta_initial=config.beta_initial,
        beta_min=config.beta_min,
        window=config.window,
    )
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=PacedKL(controller, rate=config.growth / num_steps, lead=config.lead),
    )
