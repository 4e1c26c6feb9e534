"""Histograms, entropies and mutual information of integer tables, in nats."""

import numpy as np
from jaxtyping import Float, Int, Real
from numpy.typing import ArrayLike
from scipy.stats.contingency import crosstab

from autobeta.metrics._factors import Factors
from autobeta.metrics._validate import Codes, check


def binned(
    codes: ArrayLike, factors: ArrayLike, bins: int
) -> tuple[Int[np.ndarray, "points latents"], Factors]:
    """Codes as the numbers of their bins, and numbered factors, both checked."""
    codes, factors = check(codes, factors)
    return histogram_bins(codes, bins), factors


def histogram_bins(codes: Codes, bins: int) -> Int[np.ndarray, "points latents"]:
    """Number of the equal-width bin of each code, over the range of its latent.

    The bins are closed on the left; a latent too narrow for `bins` different edges falls into one.
    The edges have the precision of the codes, as in disentanglement_lib, where that is enough.
    """
    if len(codes) < bins:
        raise ValueError(
            f"`codes` must have at least `bins` points; got {len(codes)} points for {bins} bins. "
            "Encode more points or ask for fewer bins."
        )
    return np.stack([_binned(column, bins) for column in codes.T], axis=1)


def _binned(column: Float[np.ndarray, " points"], bins: int) -> Int[np.ndarray, " points"]:
    for kind in (column.dtype, np.float64):
        c = column.astype(kind)
        if np.ptp(c) > 2 * bins * np.spacing(np.abs(c).max()):
            return np.digitize(c, np.histogram_bin_edges(c, bins)[1:-1])
    return np.zeros(len(column), dtype=np.int64)


def counts(a: Int[np.ndarray, " points"], b: Int[np.ndarray, " points"]) -> Int[np.ndarray, "a b"]:
    """Contingency table of two integer variables, over the values that occur."""
    return crosstab(a, b).count


def mutual_information(
    a: Int[np.ndarray, "points columns_a"], b: Int[np.ndarray, "points columns_b"]
) -> Float[np.ndarray, "columns_a columns_b"]:
    """Mutual information of each column of `a` with each column of `b`, in nats.

        I(a; b) = sum_xy p(x, y) ln(p(x, y) / (p(x) p(y)))

    Plug-in estimate: with few points per cell it is too high.
    """
    return np.array([[information(counts(x, y)) for y in b.T] for x in a.T])


def information(joint: Real[np.ndarray, "a b"]) -> float:
    """Mutual information of a contingency table of counts or of probabilities, in nats."""
    row, column = np.nonzero(joint)
    n, total = joint[row, column], joint.sum()
    a, b = joint.sum(axis=1)[row], joint.sum(axis=0)[column]
    if joint.dtype.kind == "i":
        # counts stay integers up to the logarithm, so that independence gives exactly zero
        ratio = np.log(n * total / (a * b))
    else:
        # the product of two small masses can be 0
        ratio = np.log(n) - np.log(a) - np.log(b) + np.log(total)
    return max(0.0, float(np.sum(n * ratio) / total))


def entropies(factors: Factors) -> Float[np.ndarray, " factors"]:
    """Entropy of each column in nats; at least 0 and 0 only for a constant column."""
    return np.array([information(counts(v, v)) for v in factors.T])


def top_two_gap(scores: Float[np.ndarray, "latents factors"]) -> Float[np.ndarray, " factors"]:
    """Largest less second largest score of each factor; with one latent the second is 0."""
    ranked = np.sort(np.vstack([scores, np.zeros_like(scores[:1])]), axis=0)
    return ranked[-1] - ranked[-2]
