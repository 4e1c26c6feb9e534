"""Histograms, entropies and mutual information of integer tables, in nats."""

import numpy as np
from jaxtyping import Float, Int, Real
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from scipy.special import digamma
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


def neighbor_information(
    codes: Codes, factors: Factors, neighbors: int, random: np.random.RandomState
) -> Float[np.ndarray, "latents factors"]:
    """Mutual information of each latent with each factor, from nearest neighbours, in nats.

        I = psi(N) + mean psi(k_i) - mean psi(n_i) - mean psi(m_i)

    n_i points have the value of point i, among which its k_i-th neighbour is at a distance within
    which m_i points of all lie; k_i is `neighbors`, or n_i - 1 where that is less. Points whose
    value no other has are left out. Noise of 1e-10 of the codes' scale breaks ties.

    Source:
        Ross, Mutual Information between Discrete and Continuous Data Sets, 2014. The numbers are
        those of scikit-learn's `mutual_info_classif`, but where a value has few points: its
        distances among them are rounded. It searches trees, where a latent is sorted here.
    """
    x = np.array(codes, np.float64)
    spread = x.std(axis=0)
    x /= np.where(spread > 0, spread, 1)
    x += 1e-10 * np.maximum(1, np.abs(x).mean(axis=0)) * random.standard_normal(x.shape)
    return np.array([[_ross(c, v, neighbors) for v in factors.T] for c in x.T])


def _ross(c: Float[np.ndarray, " n"], v: Int[np.ndarray, " n"], neighbors: int) -> float:
    order = np.lexsort((c, v))
    groups = np.split(order, np.flatnonzero(np.diff(v[order])) + 1)
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return 0.0
    used = np.concatenate(groups)
    sizes = np.array([len(group) for group in groups])
    k = np.minimum(neighbors, sizes - 1)
    radius = np.concatenate(
        [_reach(c[group], m) for group, m in zip(groups, k.tolist(), strict=True)]
    )
    within = _within(c[used], np.nextafter(radius, 0))
    found = digamma(len(used)) + np.average(digamma(k), weights=sizes)
    found -= np.average(digamma(sizes), weights=sizes) + digamma(within).mean()
    return max(0.0, float(found))


def _reach(points: Float[np.ndarray, " n"], k: int) -> Float[np.ndarray, " n"]:
    """Distance of each of some sorted points to its k-th neighbour: a window of k + 1 points."""
    far = np.full(k, np.inf)
    padded = np.concatenate([-far, points, far])
    first = sliding_window_view(padded[: len(points) + k], k + 1)
    last = sliding_window_view(padded[k:], k + 1)
    here = points[:, None]
    return np.maximum(here - first, last - here).min(axis=1)


def _within(points: Float[np.ndarray, " n"], radius: Float[np.ndarray, " n"]) -> np.ndarray:
    """How many points lie within a radius of each, itself included."""
    # sums round where differences don't, so the ends are looked up and then compared
    ends = np.concatenate([[-np.inf], np.sort(points), [np.inf]])
    low = np.searchsorted(ends, points - radius)
    high = np.searchsorted(ends, points + radius, side="right") - 1

    def inside(at: np.ndarray) -> np.ndarray:
        return np.abs(ends[at] - points) <= radius

    while (more := inside(low - 1)).any():
        low -= more
    while (less := ~inside(low)).any():
        low += less
    while (more := inside(high + 1)).any():
        high += more
    while (less := ~inside(high)).any():
        high -= less
    return high - low + 1
