"""Modularity: whether each latent tells of one factor only."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from autobeta.metrics._information import histogram_bins, mutual_information
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import Given, check, check_two_factors, clipped, live_latents

SOURCE = "Ridgeway and Mozer 2018, https://arxiv.org/abs/1802.05312"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "bins=20"
OPTIONS = {"bins": (2, 10_000)}
DEAD_RULE = True
LAWS = ("points", "latents", "factors", "signs", "values", "scales")


def modularity(
    codes: ArrayLike, factors: ArrayLike, *, logvars: Given = None, bins: int = 20, seed: int = 0
) -> float:
    """Distance of each latent from informing of one factor only, averaged over latents.

        modularity = mean_i (1 - sum_(k != k*) I_ik^2 / (I_ik*^2 (K - 1))),   k* = argmax_k I_ik

    It says nothing of how much a latent tells: codes of pure noise score well above 0 (their
    information is estimation error of similar size for each factor), and so does a dead latent
    that is not constant. A latent without any information scores 0 and so lowers the mean. Dead
    latents are left out where the posterior's `logvars` tell them. All else is as for `mig`, with
    at least 2 factors.

    Source:
        Ridgeway and Mozer, Learning Deep Disentangled Embeddings with the F-Statistic Loss, 2018,
        section 3, https://arxiv.org/abs/1802.05312
        Checked against disentanglement_lib 86a644d, evaluation/metrics/modularity_explicitness.py.

    Deviations:
        The paper leaves a latent without information undefined; as disentanglement_lib, 0.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> modularity(v + 0.0, v)
        1.0
    """
    check_options(OPTIONS, seed, bins=bins)
    codes, factors = check(codes, factors)
    check_two_factors(factors.shape[1], "modularity")
    if logvars is not None:
        live = live_latents(codes, logvars)
        codes = codes[:, live] if live.any() else codes[:, :1] * 0
    return from_information(mutual_information(histogram_bins(codes, bins), factors))


def from_information(information: Float[np.ndarray, "latents factors"]) -> float:
    """Modularity of a table of mutual information of each latent with each factor."""
    squared = information**2
    best = squared.max(axis=1)
    others = (squared.sum(axis=1) - best) / (squared.shape[1] - 1)
    ratio = np.divide(others, best, out=np.ones_like(best), where=best > 0)
    return clipped(np.mean(1 - ratio))
