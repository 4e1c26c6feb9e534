"""FactorVAE: the total correlation of the codes, estimated by a discriminator, is penalised.

    loss   = reconstruction + kl + gamma * TC,   TC ~ mean of D(z)[0] - D(z)[1]
    loss_D = -(mean log softmax(D(z))[0] + mean log softmax(D(shuffled z))[1]) / 2

The discriminator learns beside the network from codes and shuffled codes, which it sees detached
(`objectives/density_ratio.py`); Adam 1e-4 with betas (0.5, 0.9).

Deviations:
    The shuffled codes come from the second half of the batch, not from a second batch.
"""

from dataclasses import dataclass
from typing import Annotated

from autobeta.methods._base import Facts, Recipe
from autobeta.objectives import DensityRatio
from autobeta.rules import LearningRate, Range, Settings, Weight
from autobeta.weighting import ScheduledWeights

SOURCE = "Kim & Mnih, Disentangling by Factorising, ICML 2018, https://arxiv.org/abs/1802.05983"
CITATION = """@inproceedings{kim2018disentangling,
  title = {Disentangling by Factorising},
  author = {Kim, Hyunjik and Mnih, Andriy},
  booktitle = {International Conference on Machine Learning},
  year = {2018}
}"""
ADAPTS = "nothing: the weight of the total correlation is fixed"

# 1Konny/FactorVAE, whose scripts for dSprites have had 6.4, 10 and 35
_PUBLIC = {"discriminator_layers": 5, "likelihood": "bernoulli", "lr": 1e-4, "batch_size": 64}
PRESETS: dict[str, dict[str, object]] = {
    "dsprites": {"gamma": 6.4, "discriminator_lr": 1e-4, **_PUBLIC},
    "chairs3d": {"gamma": 3.2, "discriminator_lr": 1e-5, **_PUBLIC},
    "celeba": {"gamma": 6.4, "discriminator_lr": 1e-5, **_PUBLIC},
}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of FactorVAE."""

    gamma: Weight = 10.0
    """Weight of the total correlation; disentanglement_lib's study has 10 to 100."""
    discriminator_lr: LearningRate = 1e-4
    """Learning rate of the discriminator."""
    discriminator_layers: Annotated[int, Range(1, 100)] = 6
    """Hidden layers of the discriminator, 1,000 units each."""


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of FactorVAE."""
    return Recipe(
        objective=DensityRatio(
            facts.num_latents, lr=config.discriminator_lr, hidden=config.discriminator_layers
        ),
        weighting=ScheduledWeights({"total_correlation": config.gamma}),
    )
