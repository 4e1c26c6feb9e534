"""Mutual information gap with the density of the posterior, from samples of it."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._factors import Factors
from autobeta.metrics._information import entropies, top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import check, check_logvars, clipped

SOURCE = "Chen et al. 2018, https://arxiv.org/abs/1802.04942"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = False
NEEDS = ("codes", "factors", "logvars")
VARIANT = "samples=2000"
OPTIONS = {"samples": (1, 10_000_000)}
LAWS = ("latents", "factors", "signs", "values", "shift")
TOLERANCE = 0.1  # other draws for 400 samples of the posterior

_ENTRIES = 4_000_000  # densities held at once, to bound memory


def chenmig(
    codes: ArrayLike, factors: ArrayLike, *, logvars: ArrayLike, samples: int = 2000, seed: int = 0
) -> float:
    """Mutual information gap of the stochastic code z ~ q(z | x), as its authors compute it.

        I(z_i; v_k) = H(z_i) - H(z_i | v_k),   H(z_i) = -mean_s ln mean_n q(z_si | x_n)
        MIG = mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k)

    n runs over all points of the table, in H(z_i | v_k) over those with the value of the sampled
    point, which is among them, as with the authors. So the cost is `samples` times the number of
    points. Where posteriors are narrow and points of a value few, the sampled point dominates its
    mean and raises I: give full tables, or compare tables of one size only. I is at least 0, and
    invariant to the scale of each latent; a latent that follows its prior has none.

    Arguments, errors and result are those of `rmig`, but for `samples`: points drawn without
    replacement, one z each, or all points where there are fewer.

    Source:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, section 4.1 and appendix,
        https://arxiv.org/abs/1802.04942

    Deviations:
        The authors leave out the shape of dSprites and draw 10,000 samples for each entropy over
        all images. Here the factors are those given, and one set of samples serves all entropies.
        The score is at most 1, which the error of estimation can exceed.

    Example:
        >>> v = np.tile(np.stack(np.meshgrid([0, 1], [0, 1]), axis=-1).reshape(-1, 2), (50, 1))
        >>> round(chenmig(v + 0.0, v, logvars=np.full(v.shape, -9.0)), 6)
        1.0
    """
    check_options(OPTIONS, seed, samples=samples)
    codes, factors = check(codes, factors)
    spread = check_logvars(logvars, codes)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(codes), size=min(samples, len(codes)), replace=False)
    mean, logvar = codes.astype(np.float64), spread.astype(np.float64)
    noise = rng.standard_normal((codes.shape[1], len(drawn))).T
    z = mean[drawn] + np.exp(0.5 * logvar[drawn]) * noise
    columns = zip(z.T, mean.T, logvar.T, strict=True)
    same = [np.eye(v.max() + 1)[v] for v in factors.T]  # (points, values of the factor)
    sizes = [np.bincount(v) for v in factors.T]
    found = [_information(*column, drawn, factors, same, sizes) for column in columns]
    table = np.maximum(found, 0)
    return clipped(np.mean(np.minimum(top_two_gap(table) / entropies(factors), 1)))


def _information(
    z: Float[np.ndarray, " samples"],
    mean: Float[np.ndarray, " points"],
    logvar: Float[np.ndarray, " points"],
    drawn: Int[np.ndarray, " samples"],
    factors: Factors,
    same: list[np.ndarray],
    sizes: list[np.ndarray],
) -> Float[np.ndarray, " factors"]:
    total = np.zeros(len(same))
    for part in np.array_split(np.arange(len(z)), -(-len(z) * len(mean) // _ENTRIES)):
        log_density = -0.5 * ((z[part, None] - mean) ** 2 / np.exp(logvar) + logvar)
        # the largest is at least that of the sampled point, so no sum below is 0
        density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        overall = np.log(density.mean(axis=1))
        for k, v in enumerate(factors.T):
            own = v[drawn[part]]
            within = (density @ same[k])[np.arange(len(part)), own] / sizes[k][own]
            total[k] += np.sum(np.log(within) - overall)
    return total / len(z)
