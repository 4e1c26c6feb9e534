"""AbstractObjective: images and the model's output to unweighted terms."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from autobeta.models import VAEOutput
from autobeta.types import Terms


class AbstractObjective(nn.Module):
    """Interface: (x, output) to terms, each a cost in nats per image, unweighted."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch channel height width"], output: VAEOutput) -> Terms:
        """Terms of one batch: summed over pixels and latents, averaged over the batch."""
