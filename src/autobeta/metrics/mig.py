"""Mutual information gap on histograms of the posterior means."""

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._information import binned, entropies, mutual_information, top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import clipped

SOURCE = "Chen et al. 2018, https://arxiv.org/abs/1802.04942"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "bins=20"
OPTIONS = {"bins": (2, 10_000)}
LAWS = ("points", "latents", "factors", "signs", "values", "scales")


def mig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, seed: int = 0) -> float:
    """Mutual information gap between the two most informative latents of each factor.

        MIG = mean_k (I(c_(1); v_k) - I(c_(2); v_k)) / H(v_k)

    The value depends on `bins`, which is why the default stands in the printed name. A dead
    latent falls into one bin and has no information; with one latent the second-best information
    is 0. The plug-in estimate of I is too high where points are few per bin and factor value.

    Args:
        codes: Posterior means, shape (num_points, num_latents), any real scale.
        factors: Integer factor values, shape (num_points, num_factors).
        bins: Number of equal-width histogram bins per latent.
        seed: Not used; nothing here is random.

    Returns:
        Score in [0, 1], higher is better.

    Raises:
        TypeError, ValueError: As `score`; if there are fewer points than bins.

    Source:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, section 4.1,
        https://arxiv.org/abs/1802.04942
        Checked against disentanglement_lib 86a644d, evaluation/metrics/mig.py.

    Deviations:
        As disentanglement_lib, the codes are binned posterior means; the paper takes samples of
        the posterior and its exact density.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> float(round(mig(v + 0.0, v), 6))
        1.0
    """
    check_options(OPTIONS, seed, bins=bins)
    codes, factors = binned(codes, factors, bins)
    return clipped(np.mean(top_two_gap(mutual_information(codes, factors)) / entropies(factors)))
