"""beta-TCVAE: the total correlation of the codes, estimated from the batch, is penalised.

    loss = reconstruction + alpha * MI + beta * TC + gamma * dimension-wise KL
         = reconstruction + kl + (alpha - 1) MI + (beta - 1) TC + (gamma - 1) dimension-wise KL

The parts of the KL are estimated in each batch (`objectives/total_correlation.py`).

Deviations:
    The second form is used, with the KL in closed form, since its parts add up to a noisy estimate
    of it; if all weights are 0, none is estimated. By default the estimator is the stratified one
    with its diagonal in place; `estimator="strided"` has the matrix of the authors' code.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import SplitKL
from autobeta.rules import Settings, Weight
from autobeta.weighting import ScheduledWeights

SOURCE = (
    "Chen et al., Isolating Sources of Disentanglement in VAEs, NeurIPS 2018, "
    "https://arxiv.org/abs/1802.04942"
)
CITATION = """@inproceedings{chen2018isolating,
  title = {Isolating Sources of Disentanglement in Variational Autoencoders},
  author = {Chen, Ricky T. Q. and Li, Xuechen and Grosse, Roger and Duvenaud, David},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2018}
}"""
ADAPTS = "nothing: the weight of the total correlation is fixed"

# Hsu et al., Disentanglement via Latent Quantization, 2023 (their repository); the loss is ours
# over the number of values in an image, and the latents are twice as many as the factors
_TUNED = {"estimator": "weighted", "likelihood": "bernoulli", "lr": 1e-3, "batch_size": 128}
PRESETS: dict[str, dict[str, object]] = {
    "shapes3d": {"beta": 3.0, "num_latents": 12, **_TUNED},
    "mpi3d": {"beta": 0.3, "num_latents": 14, **_TUNED},
    "falcor3d": {"beta": 3.0, "num_latents": 14, **_TUNED},
    "isaac3d": {"beta": 1.0, "num_latents": 18, **_TUNED},
}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of beta-TCVAE."""

    beta: Weight = 6.0
    """Weight of the total correlation, as part of the KL; disentanglement_lib's study: 1 to 10."""
    alpha: Weight = 1.0
    """Weight of the mutual information between image and latents."""
    gamma: Weight = 1.0
    """Weight of the dimension-wise KL."""
    estimator: Literal["stratified", "weighted", "strided"] = "stratified"
    """Of the mixture of posteriors: minibatch stratified or weighted sampling, or the authors'."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of beta-TCVAE."""
    wanted = {
        "mutual_information": config.alpha - 1,
        "total_correlation": config.beta - 1,
        "dimension_kl": config.gamma - 1,
    }
    weights = {name: weight for name, weight in wanted.items() if weight}
    return Recipe(
        objective=SplitKL(facts.num_train, config.estimator, tuple(weights)),
        weighting=ScheduledWeights(weights),
    )
