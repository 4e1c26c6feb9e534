"""Rows of a table that share a factor value, and draws from them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._factors import constant_factors, labels, read_column
from autobeta.metrics._validate import Codes, check_codes, live_latents, table_of


class Groups(NamedTuple):
    """Rows sorted by the value of one factor."""

    order: Int[np.ndarray, " points"]  # row numbers; rows of one value stand together
    starts: Int[np.ndarray, " values"]  # position in `order` of the first row of each value
    sizes: Int[np.ndarray, " values"]
    weight: Float[np.ndarray, " values"]  # share among rows whose value occurs twice or more

    def draw(self, num: int, rng: np.random.Generator) -> Int[np.ndarray, " num"]:
        """Values, each as often as it occurs; those that occur once are left out."""
        return rng.choice(len(self.sizes), size=num, p=self.weight)


def group(column: Int[np.ndarray, " points"]) -> Groups:
    """Sort rows by the value of one factor, of which one at least occurs twice."""
    order = np.argsort(column, kind="stable")
    _, starts, sizes = np.unique(column[order], return_index=True, return_counts=True)
    shared = np.where(sizes > 1, sizes, 0)
    return Groups(order, starts, sizes, shared / shared.sum())


def live_and_groups(
    codes: ArrayLike, factors: ArrayLike, logvars: ArrayLike | None, fraction: float, metric: str
) -> tuple[Codes, list[Groups]]:
    """Codes of the live latents, and the rows grouped by each of the factors that vary."""
    checked, values = check_codes(codes), table_of(factors, codes)
    varying = np.setdiff1d(range(values.shape[1]), constant_factors(values))
    if len(varying) < 2:
        raise ValueError(
            f"`factors` must have at least 2 columns for {metric} that vary; got {len(varying)}."
        )
    groups = [group(read_column(values[:, k], k, labels)) for k in varying.tolist()]
    return checked[:, live_latents(checked, logvars, fraction=fraction)], groups


def draw_without_replacement(
    sizes: Int[np.ndarray, " votes"], batch_size: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "votes batch"], Bool[np.ndarray, "votes batch"]]:
    """Draw from range(size) without replacement, for many sizes at once (Floyd's algorithm).

    Also which of the numbers count: a size below `batch_size` is drawn whole, the rest is 0.
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
