"""Rows of a table that share a factor value, and draws from them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from autobeta.metrics._validate import Factors, constant_factors


class Groups(NamedTuple):
    """Rows sorted by the value of one factor.

    Args:
        order: Row numbers; rows of one value stand together.
        starts: Position in `order` of the first row of each value.
        sizes: Number of rows of each value.
        weight: Share of each value among the rows whose value occurs twice or more.
    """

    order: Int[np.ndarray, " points"]
    starts: Int[np.ndarray, " values"]
    sizes: Int[np.ndarray, " values"]
    weight: Float[np.ndarray, " values"]

    def draw(self, num: int, rng: np.random.Generator) -> Int[np.ndarray, " num"]:
        """Values, each as often as it occurs; those that occur once are left out."""
        return rng.choice(len(self.sizes), size=num, p=self.weight)


def group(column: Int[np.ndarray, " points"]) -> Groups:
    """Sort rows by the value of one factor, of which one at least occurs twice."""
    order = np.argsort(column, kind="stable")
    _, starts, sizes = np.unique(column[order], return_index=True, return_counts=True)
    shared = np.where(sizes > 1, sizes, 0)
    return Groups(order, starts, sizes, shared / shared.sum())


def shared_factors(factors: Factors, metric: str) -> list[int]:
    """Factors that vary and have a value which two rows share.

    Raises:
        ValueError: If there are fewer than two, between which a vote could be wrong.
    """
    constant = constant_factors(factors)
    num_values = [len(np.unique(column)) for column in factors.T]
    shared = [k for k, n in enumerate(num_values) if n < len(factors) and k not in constant]
    if len(shared) < 2:
        raise ValueError(
            f"`factors` must have at least 2 columns for {metric} that vary and in which two "
            f"points share a value; got {len(shared)}."
        )
    return shared


def draw_without_replacement(
    sizes: Int[np.ndarray, " votes"], batch_size: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "votes batch"], Bool[np.ndarray, "votes batch"]]:
    """Draw from range(size) without replacement, for many sizes at once (Floyd's algorithm).

    Returns:
        The numbers drawn, and which of them count: a size below `batch_size` is drawn whole and
        the rest of its row is 0 and does not count.

    Example:
        >>> drawn, valid = draw_without_replacement(np.array([3]), 4, np.random.default_rng(0))
        >>> sorted(drawn[valid].tolist())
        [0, 1, 2]
    """
    taken = np.minimum(sizes, batch_size)
    valid = np.arange(batch_size) < taken[:, None]
    drawn = np.zeros(valid.shape, dtype=np.int64)
    for i in range(batch_size):
        last = np.maximum(sizes - taken + i, 0)
        pick = (rng.random(len(sizes)) * (last + 1)).astype(np.int64)
        seen = (drawn[:, :i] == pick[:, None]).any(axis=1)
        drawn[:, i] = np.where(seen, last, pick)
    return np.where(valid, drawn, 0), valid


def check_votes(num_train: int, num_eval: int, batch_size: int, dead_fraction: float) -> None:
    """Refuse options of a vote that leave nothing to vote on.

    Raises:
        ValueError: If a number is out of its range.
    """
    if min(num_train, num_eval) < 1:
        raise ValueError(
            f"`num_train` and `num_eval` must be at least 1; got {num_train} and {num_eval}."
        )
    if batch_size < 2:
        raise ValueError(
            f"`batch_size` must be at least 2; got {batch_size}. One row has no variance."
        )
    if not 0 <= dead_fraction < 1:
        raise ValueError(f"`dead_fraction` must be in [0, 1); got {dead_fraction}.")
