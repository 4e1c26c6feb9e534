"""Discriminator of latents, for adversarial total correlation."""

from jaxtyping import Float
from torch import Tensor, nn

_WIDTH = 1000
_LAYERS = 5


class Discriminator(nn.Module):
    """Latents to two logits: six linear layers of 1,000 units with leaky ReLU.

    Args:
        num_latents: Number of latents.

    Source:
        Kim & Mnih, Disentangling by Factorising, 2018, appendix A.
    """

    def __init__(self, num_latents: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(num_latents, _WIDTH), nn.LeakyReLU(0.2)]
        for _ in range(_LAYERS - 1):
            layers += [nn.Linear(_WIDTH, _WIDTH), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(_WIDTH, 2))

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch 2"]:
        """Logits that z is a code (first), or shuffled (second)."""
        return self.layers(z)
