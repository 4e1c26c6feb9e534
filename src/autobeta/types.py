"""The records that travel between packages."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

Scalar = Float[Tensor, ""]

# Named costs of one batch in nats per image; a term is a scalar, or a vector over latents where
# a method weighs each latent.
Terms = Mapping[str, Float[Tensor, "..."]]


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Codes of a sample of images, with the factors that made the images where they are known.

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
