"""InfoVAE: a kernel distance between the codes and the prior in place of a part of the KL.

    loss = reconstruction + (1 - alpha) kl + (alpha + lambda - 1) MMD^2(q(z), p(z))

alpha is the weight of the mutual information between image and latents: 0 leaves the KL as it is,
1 takes it away altogether (MMD-VAE).

Deviations:
    The distance is an unbiased estimate with the prior's part in closed form. The kernel's width
    is that of the authors' public code; `mmd_weight` (lambda) is ours, since none is published
    for summed losses.
"""

from dataclasses import dataclass

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import MaximumMeanDiscrepancy
from autobeta.weighting import ScheduledWeights

SOURCE = "Zhao et al., InfoVAE, AAAI 2019, https://arxiv.org/abs/1706.02262"
CITATION = """@inproceedings{zhao2019infovae,
  title = {{InfoVAE}: Balancing Learning and Inference in Variational Autoencoders},
  author = {Zhao, Shengjia and Song, Jiaming and Ermon, Stefano},
  booktitle = {AAAI Conference on Artificial Intelligence},
  year = {2019}
}"""
ADAPTS = "nothing: the weights of KL and kernel distance are fixed"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of InfoVAE."""

    alpha: float = 0.0
    """Weight of the mutual information, at most 1."""
    mmd_weight: float = 500.0
    """lambda, the weight of the distance of q(z) from the prior."""
    kernel_width: float | None = None
    """Squared width of the kernel; None for half the squared number of latents."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {
    "mmd-vae": {"alpha": 1.0},
}


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of InfoVAE.

    Raises:
        ValueError: If a weight would be negative.
    """
    del num_train, image_shape, num_steps
    weight = config.alpha + config.mmd_weight - 1
    if config.alpha > 1 or weight < 0:
        raise ValueError(
            "`alpha` must be at most 1, and `alpha` + `mmd_weight` at least 1; got "
            f"{config.alpha} and {config.mmd_weight}."
        )
    width = num_latents**2 / 2 if config.kernel_width is None else config.kernel_width
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=MaximumMeanDiscrepancy(width),
        weighting=ScheduledWeights({"kl": 1 - config.alpha, "mmd": weight}),
    )
