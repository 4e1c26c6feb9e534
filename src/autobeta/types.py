"""The records that travel between packages."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

Scalar = Float[Tensor, ""]
Images = Float[Tensor, "batch channel height width"]
ACTIVE_VARIANCE = 0.01

# Named costs of one batch in nats per image; a term is a scalar, or a vector over latents where
# a method weighs each latent.
Terms = Mapping[str, Float[Tensor, "..."]]


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Codes of a sample of images, with the factors that made the images where they are known.

    A latent is active if the variance of its posterior mean is above 0.01 (Burda et al., 2016).

    Args:
        codes: Posterior means, shape (num_points, num_latents).
        logvars: Posterior log-variances, same shape.
        index: Position of each point in its data set.
        factors: Integer factor values, shape (num_points, num_factors); None without labels.
    """

    codes: Float[np.ndarray, "points latents"]
    logvars: Float[np.ndarray, "points latents"]
    index: Int[np.ndarray, " points"]
    factors: Int[np.ndarray, "points factors"] | None = None

    @property
    def kl(self) -> Float[np.ndarray, "points latents"]:
        """KL to the standard normal prior of each point and latent, nats."""
        return 0.5 * (self.codes**2 + np.exp(self.logvars) - 1 - self.logvars)

    @property
    def active(self) -> Bool[np.ndarray, " latents"]:
        """Whether each latent is active."""
        return self.codes.var(axis=0) > ACTIVE_VARIANCE
