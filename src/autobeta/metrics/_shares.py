"""How much of each factor each latent tells, as pictures show it; not a score."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._information import binned, entropies, mutual_information
from autobeta.metrics._validate import check_codes, table_of


def information_shares(
    codes: ArrayLike, factors: ArrayLike, *, bins: int = 20
) -> Float[np.ndarray, "latents factors"]:
    """Share of each factor's entropy that each latent tells.

        max(0, I(c_j; v_k) - b) / H(v_k),  b = (bins_j - 1) (values_k - 1) / (2 num_points)

    b is what the plug-in estimate of I has by chance where code and factor are independent, to
    first order; bins and values are those that occur. A constant factor has the share 0.

    Args:
        codes: Posterior means, shape (num_points, num_latents), any real scale.
        factors: Integer factor values, shape (num_points, num_factors).
        bins: Number of equal-width histogram bins per latent.

    Returns:
        Shares in [0, 1].

    Raises:
        TypeError, ValueError: As `score`; if there are fewer points than bins.

    Source:
        Miller, Note on the bias of information estimates, 1955, for b.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> information_shares(v + 0.0, v).round(1).tolist()
        [[0.8, 0.0], [0.0, 0.8]]
    """
    codes = check_codes(codes)
    table = table_of(factors, codes)
    varies = (table != table[:1]).any(axis=0)
    if not varies.any():
        return np.zeros((codes.shape[1], len(varies)))
    numbered, values = binned(codes, table[:, varies], bins)
    by_chance = np.outer(_more_than_one(numbered), _more_than_one(values)) / (2 * len(numbered))
    share = (mutual_information(numbered, values) - by_chance) / entropies(values)
    shares = np.zeros((numbered.shape[1], len(varies)))
    shares[:, varies] = share.clip(0, 1)
    return shares


def _more_than_one(table: Int[np.ndarray, "points columns"]) -> Int[np.ndarray, " columns"]:
    """How many values beside the first occur in each column."""
    return np.array([len(np.unique(column)) - 1 for column in table.T])
