"""mdL-VAE: L-VAE with one learned weight for each latent's KL.

    loss = R / (2 s_0) + r(s_0) + sum_j [ K_j / (2 s_j) + r(s_j) ]

with K_j the KL of latent j. See `methods/lvae.py` for the regulariser r and the unit of R.

Deviations:
    Known to us from the thesis' abstract only; form and defaults follow L-VAE's here.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.methods.lvae import check_warmup, warn_of_entropy
from autobeta.objectives import Elbo
from autobeta.weighting import LearnedWeights

SOURCE = (
    "Mogultay Ozcan, On Disentangled Representation Learning, PhD thesis, METU, 2024, "
    "https://open.metu.edu.tr/handle/11511/110813"
)
CITATION = """@phdthesis{mogultay2024disentangled,
  title = {On Disentangled Representation Learning},
  author = {Mogultay Ozcan, Hazal},
  school = {Middle East Technical University},
  year = {2024}
}"""
ADAPTS = "the weights of reconstruction and of each latent's KL, learned"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of mdL-VAE."""

    regulariser: Literal["log", "log1p"] = "log"
    """r(s): 0.5 log s, or log(1 + s)."""
    unit: Literal["nats", "pixel"] = "nats"
    """Unit of the reconstruction inside its weighted term: nats per image, or per pixel."""
    start: Literal["ones", "fixed_point"] = "ones"
    """Weights after the warm-up: all 1, or where its mean terms put them."""
    warmup: int = 0
    """Steps with all weights 1 before they are learned; 0 for none."""
    kl_floor: float = 0.5
    """Lower bound of each latent's variance, nats; without it dead latents stay dead."""
    weight_lr: float = 5e-4
    """Adam's learning rate of the log-variances."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {}


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of mdL-VAE.

    Raises:
        ValueError: If the warm-up is not shorter than the run.
    """
    del num_train
    check_warmup(config.warmup, num_steps)
    warn_of_entropy(config.likelihood, image_shape)
    height, width, channels = image_shape
    unit = float(height * width * channels) if config.unit == "pixel" else 1.0
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(kl_per_latent=True),
        weighting=LearnedWeights(
            {"reconstruction": 1, "kl": num_latents},
            regulariser=config.regulariser,
            units={"reconstruction": unit},
            floors={"kl": config.kl_floor},
            warmup=config.warmup,
            start=config.start,
        ),
        weighting_lr=config.weight_lr,
    )
