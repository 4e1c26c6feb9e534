"""mdL-VAE: L-VAE with one learned weight for each latent's KL.

    loss = R / (2 s_0) + r(s_0) + sum_j [ K_j / (2 s_j) + r(s_j) ]

with K_j the KL of latent j. See `methods/lvae.py` for the regulariser r and the unit of R.

Deviations:
    Known to us from the thesis' abstract only; form and defaults follow L-VAE's here.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import Facts, Recipe
from autobeta.methods.lvae import make_recipe
from autobeta.rules import LearningRate, Settings, StepsOrNone, Weight, Window

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
PRESETS: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of mdL-VAE."""

    weight_optimizer: Literal["natural", "adam", "adam_short", "rmsprop"] = "natural"
    """What moves the variances, as for L-VAE."""
    weight_lr: LearningRate = 1e-3
    """Rate of the variances, or learning rate of their logarithms."""
    beta_initial: Weight = 1.0
    """beta of each latent in the warm-up, and where "ones" starts; 0 for all weights 1."""
    wait: Literal["explained", "records", "never"] = "explained"
    """When a beta may rise, as for L-VAE."""
    window: Window = 100
    """Steps in the reconstruction's average for it."""
    regulariser: Literal["log", "log1p"] = "log"
    """r(s): 0.5 log s, or log(1 + s)."""
    unit: Literal["nats", "pixel"] = "nats"
    """Unit of the reconstruction inside its weighted term: nats per image, or per pixel."""
    start: Literal["ones", "fixed_point"] = "ones"
    """Weights after the warm-up: those of `beta_initial`, or where its mean terms put them."""
    warmup: StepsOrNone = 0
    """Steps with beta at `beta_initial` before the weights are learned; 0 for none."""
    kl_floor: Weight = 0.5
    """Lower bound of each latent's variance, nats; without it dead latents stay dead."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of mdL-VAE."""
    return make_recipe(config, facts, kl_per_latent=True)
