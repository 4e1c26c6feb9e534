"""AbstractObjective: images and the model's output to unweighted terms."""

from abc import abstractmethod

import torch
from torch import nn

from autobeta.models import VAEOutput
from autobeta.types import Images, Scalar, Terms


class AbstractObjective(nn.Module):
    """Interface: (x, output) to terms, each a cost, unweighted.

    "reconstruction" and "kl" are always among them, in nats per image; so are the others unless
    they state another unit.
    """

    min_batch = 1
    """Images that a batch must have at least."""
    couples_images = False
    """Whether the images of a batch count together; several processes then do so each for its own
    part."""

    @abstractmethod
    def forward(self, x: Images, output: VAEOutput) -> Terms:
        """Terms of one batch: summed over pixels and latents, averaged over the batch."""


class AbstractAdversarialObjective(AbstractObjective):
    """Interface of an objective with a network of its own that is trained against the model."""

    @abstractmethod
    def adversary_optimizer(self) -> torch.optim.Optimizer:
        """A new optimiser of the adversary's parameters."""

    @abstractmethod
    def adversary_loss(self, output: VAEOutput) -> Scalar:
        """Loss of the adversary on the same batch; it sends no gradient to the model."""
