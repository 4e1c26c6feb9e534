"""L-VAE: the weights of the reconstruction and the KL are learned together with the network.

    loss = R / (2 s_0) + K / (2 s_1) + r(s_0) + r(s_1)

with R = reconstruction and K = kl, each divided by its unit, and r the regulariser: 0.5 log s
("log") or log(1 + s) ("log1p"). beta, the KL's weight over the reconstruction's, tends to the
ratio of the fixed points of `weighting/learned.py`.

Deviations:
    The published loss, start and optimiser are not known to us. What stands here follows from the
    paper's abstract (two learned weights adapted from uncertainty weighting, one regulariser);
    the defaults were chosen by an experiment: `reproductions/foundation/`.
    The reconstruction carries no additive constant, since the weights would see it. A Bernoulli
    of colours or greys does, the images' own entropy; colours are warned of.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.weighting import LearnedWeights

SOURCE = (
    "Mogultay Ozcan et al., L-VAE, Machine Vision and Applications 2025, "
    "https://arxiv.org/abs/2507.02619"
)
CITATION = """@article{mogultay2025lvae,
  title = {{L-VAE}: Variational Auto-Encoder with Learnable Beta for Disentangled Representation},
  author = {Mogultay Ozcan, Hazal and Kalkan, Sinan and Yarman-Vural, Fatos T.},
  journal = {Machine Vision and Applications},
  year = {2025}
}"""
ADAPTS = "the weights of reconstruction and KL, learned"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of L-VAE."""

    regulariser: Literal["log", "log1p"] = "log"
    """r(s): 0.5 log s, or log(1 + s)."""
    unit: Literal["nats", "pixel"] = "nats"
    """Unit of the reconstruction inside its weighted term: nats per image, or per pixel."""
    start: Literal["ones", "fixed_point"] = "ones"
    """Weights after the warm-up: both 1, or where its mean terms put them."""
    warmup: int = 0
    """Steps with both weights 1 before they are learned; 0 for none."""
    kl_floor: float = 1.0
    """Lower bound of the KL's variance, nats, against posterior collapse."""
    weight_lr: float = 5e-4
    """Adam's learning rate of the log-variances."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {}


def check_warmup(warmup: int, num_steps: int) -> None:
    """Refuse a run in which the weights would never be learned.

    Raises:
        ValueError: If the warm-up is not shorter than the run.
    """
    if warmup >= num_steps:
        raise ValueError(
            f"`warmup` must be below the run's {num_steps} steps; got {warmup}. "
            "Train longer, or shorten it."
        )


def warn_of_entropy(likelihood: str, image_shape: tuple[int, int, int]) -> None:
    """Warn that a cross-entropy of colours holds the images' own entropy, seen by the weights."""
    if likelihood == "bernoulli" and image_shape[2] == 3:
        warnings.warn(
            "`likelihood` bernoulli on colours counts the images' own entropy, thousands of nats "
            "that no network can lower, and the learned weights see it: the KL's becomes too "
            "large. Use --method.likelihood gaussian.",
            stacklevel=3,
        )


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of L-VAE.

    Raises:
        ValueError: If the warm-up is not shorter than the run.
    """
    del num_latents, num_train
    check_warmup(config.warmup, num_steps)
    warn_of_entropy(config.likelihood, image_shape)
    height, width, channels = image_shape
    unit = float(height * width * channels) if config.unit == "pixel" else 1.0
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=LearnedWeights(
            {"reconstruction": 1, "kl": 1},
            regulariser=config.regulariser,
            units={"reconstruction": unit},
            floors={"kl": config.kl_floor},
            warmup=config.warmup,
            start=config.start,
        ),
        weighting_lr=config.weight_lr,
    )
