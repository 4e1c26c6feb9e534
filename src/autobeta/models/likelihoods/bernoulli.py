"""A Bernoulli for each pixel: the sum of binary cross-entropies on logits."""

import torch
import torch.nn.functional as F

from autobeta.models.likelihoods._base import AbstractLikelihood, PerImage
from autobeta.types import Images

SOURCE = "Kingma & Welling, Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"


class Bernoulli(AbstractLikelihood):
    """Pixel-wise Bernoulli: the sum of binary cross-entropies on logits, in nats."""

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Binary cross-entropy, summed over pixels."""
        return F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(dim=(1, 2, 3))


def entropy(x: Images) -> PerImage:
    """Entropy of images read as probabilities, nats: the least that any outputs cost.

    0 for black and white; thousands of nats for greys and colours.
    """
    return -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).sum(dim=(1, 2, 3))


build = Bernoulli
