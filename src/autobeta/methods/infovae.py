"""InfoVAE: a kernel distance between the codes and the prior in place of a part of the KL.

    loss = reconstruction + (1 - alpha) kl + (alpha + lambda - 1) MMD^2(q(z), p(z))

alpha is the weight of the mutual information between image and latents: 0 leaves the KL as it is,
1 takes it away altogether (MMD-VAE).

Deviations:
    The distance is an unbiased estimate with the prior's part in closed form. The kernel's width
    is that of the authors' public code; `mmd_weight` (lambda) is ours, since none is published
    for summed losses: with 500 a Gaussian, which has fewer nats to win, lost its code on dSprites
    (`reproductions/likelihoods/`).
"""

from dataclasses import dataclass
from typing import Annotated

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import MaximumMeanDiscrepancy
from autobeta.rules import PositiveWeight, Range, Settings, Weight
from autobeta.weighting import ScheduledWeights

SOURCE = "Zhao et al., InfoVAE, AAAI 2019, https://arxiv.org/abs/1706.02262"
CITATION = """@inproceedings{zhao2019infovae,
  title = {{InfoVAE}: Balancing Learning and Inference in Variational Autoencoders},
  author = {Zhao, Shengjia and Song, Jiaming and Ermon, Stefano},
  booktitle = {AAAI Conference on Artificial Intelligence},
  year = {2019}
}"""
ADAPTS = "nothing: the weights of KL and kernel distance are fixed"
PRESETS: dict[str, dict[str, object]] = {"mmd-vae": {"alpha": 1.0, "mmd_weight": 500.0}}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of InfoVAE."""

    alpha: Annotated[float, Range(-1e9, 1)] = 0.0
    """Weight of the mutual information, at most 1."""
    mmd_weight: Weight = 100.0
    """lambda, the weight of the distance of q(z) from the prior."""
    kernel_width: PositiveWeight | None = None
    """Squared width of the kernel; None for half the squared number of latents."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of InfoVAE; a ValueError if the weight of the distance would be negative."""
    weight = config.alpha + config.mmd_weight - 1
    if weight < 0:
        raise ValueError(
            "`alpha` + `mmd_weight` must be at least 1, since the distance's weight is that less "
            f"1; got {config.alpha} and {config.mmd_weight}. Raise `mmd_weight`."
        )
    width = facts.num_latents**2 / 2 if config.kernel_width is None else config.kernel_width
    return Recipe(
        objective=MaximumMeanDiscrepancy(width),
        weighting=ScheduledWeights({"kl": 1 - config.alpha, "mmd": weight}),
    )
