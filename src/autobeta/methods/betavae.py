"""beta-VAE: the KL weighed by one fixed beta.

    loss = reconstruction + beta * kl

Deviations:
    None.
"""

from dataclasses import dataclass

from autobeta.methods._base import LikelihoodName, Recipe, make_likelihood
from autobeta.objectives import Elbo
from autobeta.weighting import ScheduledWeights

SOURCE = "Higgins et al., beta-VAE, ICLR 2017, https://openreview.net/forum?id=Sy2fzU9gl"
CITATION = """@inproceedings{higgins2017beta,
  title = {{beta-VAE}: Learning Basic Visual Concepts with a Constrained Variational Framework},
  author = {Higgins, Irina and Matthey, Loic and Pal, Arka and Burgess, Christopher and
            Glorot, Xavier and Botvinick, Matthew and Mohamed, Shakir and Lerchner, Alexander},
  booktitle = {International Conference on Learning Representations},
  year = {2017}
}"""
ADAPTS = "nothing: beta is fixed"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of beta-VAE."""

    beta: float = 4.0
    """Weight of the KL; the settings of disentanglement_lib's study are 1, 2, 4, 6, 8 and 16."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


PRESETS: dict[str, dict[str, object]] = {
    "chairs3d": {"beta": 4.0},
    "celeba": {"beta": 10.0},
    # tuned by Hsu et al., Disentanglement via Latent Quantization, 2023 (their repository), on a
    # loss that is ours over the number of values in an image
    "shapes3d": {"beta": 3.0},
    "mpi3d": {"beta": 0.1},
    "falcor3d": {"beta": 10.0},
    "isaac3d": {"beta": 0.3},
}


def build(
    config: Config,
    *,
    num_latents: int,
    num_train: int,
    image_shape: tuple[int, int, int],
    num_steps: int,
) -> Recipe:
    """Objects of beta-VAE.

    Raises:
        ValueError: If beta is negative.
    """
    del num_latents, num_train, image_shape, num_steps
    if config.beta < 0:
        raise ValueError(f"`beta` must be at least 0; got {config.beta}. A VAE has beta 1.")
    return Recipe(
        likelihood=make_likelihood(config.likelihood),
        objective=Elbo(),
        weighting=ScheduledWeights({"kl": config.beta}),
    )
