"""beta from one convention of the loss to another.

Ours is the sum over pixels and latents, in nats per image, with the binary cross-entropy, or half
the squared error of a Gaussian with sigma 1; `docs/concepts.md` has others. Multiplying a loss by
a constant only changes what a learning rate means, so what counts is the ratio of the two terms.
"""

from dataclasses import dataclass
from typing import Literal

from autobeta.rules import Count, NonNegative, Positive, Settings, checked

Distortion = Literal["bce", "half_squared_error", "squared_error", "gaussian"]
Reduction = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class Convention(Settings):
    """How a loss distortion + beta * KL counts its terms.

    `distortion` is "bce" (binary cross-entropy), "half_squared_error", "squared_error", or
    "gaussian" (squared error over 2 sigma^2), which alone has a `sigma`. It is summed or averaged
    over pixels and channels (`pixels`), the KL over `latents`.
    """

    distortion: Distortion = "bce"
    pixels: Reduction = "sum"
    latents: Reduction = "sum"
    sigma: Positive = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sigma != 1 and self.distortion != "gaussian":
            raise ValueError(
                f"`sigma` must be left out unless `distortion` is gaussian; got {self.sigma} and "
                f"{self.distortion}."
            )


OURS = Convention()


@checked
def convert_beta(
    beta: NonNegative,
    origin: Convention,
    target: Convention = OURS,
    *,
    num_values: Count,
    num_latents: Count,
) -> float:
    """The beta that makes the target's loss a multiple of the origin's, which has `beta`.

    `num_values` is the number of pixels times channels of an image. The cross-entropy and squared
    errors are no multiples of each other: a ValueError.

    Example:
        >>> mean_squared = Convention(distortion="squared_error", pixels="mean")
        >>> gaussian = Convention(distortion="half_squared_error")
        >>> convert_beta(0.00025, mean_squared, gaussian, num_values=64 * 64 * 3, num_latents=10)
        1.536
    """
    if (origin.distortion == "bce") != (target.distortion == "bce"):
        raise ValueError(
            f"`origin` and `target` must both have bce, or both a squared error; got "
            f"{origin.distortion} and {target.distortion}. There is no common beta: compare "
            "runs by the squared error of the mean image."
        )
    ours = beta * _ratio(origin, num_values, num_latents)
    return ours / _ratio(target, num_values, num_latents)


def _ratio(convention: Convention, num_values: int, num_latents: int) -> float:
    """Beta of the summed loss (bce, or half the squared error) for each unit of this one."""
    kinds = {"squared_error": 2.0, "gaussian": convention.sigma**-2}
    distortion = kinds.get(convention.distortion, 1.0)
    if convention.pixels == "mean":
        distortion /= num_values
    kl = 1 / num_latents if convention.latents == "mean" else 1.0
    return kl / distortion
