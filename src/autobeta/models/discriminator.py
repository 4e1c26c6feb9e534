"""Discriminator of latents, for adversarial total correlation."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


class Discriminator(nn.Module):
    """Latents to two logits through hidden layers of 1,000 units with leaky ReLU.

    Args:
        num_latents: Latents of a code.
        hidden: Number of hidden layers.

    Source:
        Kim & Mnih, Disentangling by Factorising, 2018, appendix A: six hidden layers and the
        logits, and so has disentanglement_lib. 1Konny/FactorVAE has five.
    """

    def __init__(self, num_latents: int, *, hidden: int = 6) -> None:
        super().__init__()
        pairs = pairwise([num_latents, *[1000] * hidden])
        layers = [m for a, b in pairs for m in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        self.layers = nn.Sequential(*layers, nn.Linear(1000, 2))

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch 2"]:
        """Logits that z is a code (first), or shuffled (second)."""
        return self.layers(z)
