"""FactorSpace: names and sizes of the factors, and index <-> factor values in mixed radix."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class FactorSpace:
    """The grid of all combinations of factor values, numbered with the last factor fastest.

        index = sum_k value_k * prod_{j > k} size_j

    Values of a factor run from 0 to its size less 1. Names that repeat or don't match the sizes,
    and sizes below 1, are a ValueError.

    Example:
        >>> space = FactorSpace(("shape", "posX"), (3, 4))
        >>> space.factors(np.array([0, 5, 11])).tolist()
        [[0, 0], [1, 1], [2, 3]]
        >>> space.index(np.array([[2, 3]])).tolist()
        [11]
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.sizes) or not self.names:
            raise ValueError(
                f"`names` and `sizes` must have the same length, at least 1; got "
                f"{len(self.names)} and {len(self.sizes)}. Give one size to each name."
            )
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"`names` must be all different; got {self.names}. Rename one.")
        if min(self.sizes) < 1:
            raise ValueError(
                f"`sizes` must be at least 1; got {self.sizes}. Leave out a factor without values."
            )

    @property
    def num_factors(self) -> int:
        """Number of factors."""
        return len(self.sizes)

    @property
    def num_combinations(self) -> int:
        """Number of points of the full grid."""
        return math.prod(self.sizes)

    def index(self, factors: Int[np.ndarray, "batch factors"]) -> Int[np.ndarray, " batch"]:
        """Position of each row of factor values in the full grid; a ValueError if it has none."""
        if factors.shape[1] != self.num_factors:
            raise ValueError(
                f"`factors` must have shape (batch, {self.num_factors}); got {factors.shape}. "
                f"Its columns are {', '.join(self.names)}."
            )
        wrong = np.argwhere((factors < 0) | (factors >= np.array(self.sizes)))
        if len(wrong):
            row, k = wrong[0]
            raise ValueError(
                f"`factors` must have {self.names[k]} in 0..{self.sizes[k] - 1}; got "
                f"{factors[row, k]}. Factor values are integers counted from 0."
            )
        return np.ravel_multi_index(tuple(factors.T), self.sizes).astype(np.int64)

    def factors(self, index: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "batch factors"]:
        """Factor values at each position of the full grid; a ValueError if one is beyond it."""
        check_index(index, self.num_combinations)
        return np.stack(np.unravel_index(index, self.sizes), axis=1).astype(np.int64)


def check_index(index: Int[np.ndarray, " batch"], num_images: int) -> None:
    """Refuse positions outside 0..num_images - 1; NumPy would wrap negative ones around."""
    if index.size and (index.min() < 0 or index.max() >= num_images):
        value = index.min() if index.min() < 0 else index.max()
        raise ValueError(
            f"`index` must be in 0..{num_images - 1}; got {value}. Positions are counted from 0."
        )
