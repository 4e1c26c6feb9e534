"""Joint entropy minus mutual information gap, on histograms of the posterior means."""

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._information import binned, entropies, mutual_information, top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import clipped

SOURCE = "Do and Tran 2020, https://arxiv.org/abs/1908.09961"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "bins=20"
OPTIONS = {"bins": (2, 10_000)}
LAWS = ("points", "latents", "factors", "signs", "values", "scales")


def jemmig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, seed: int = 0) -> float:
    """MIG that also asks the best latent to tell of nothing but its factor.

        JEMMIG_k = H(c_(1), v_k) - I(c_(1); v_k) + I(c_(2); v_k)
        score = mean_k (1 - JEMMIG_k / (H(v_k) + ln(bins)))

    With the entropy of the best latent in it, a latent that varies for other reasons than its
    factor costs. So does a code of more bins than its factor has values: only a latent that takes
    one bin per value scores 1. Codes that are all constant score ln(bins) / (H(v_k) + ln(bins)),
    about a half, since they have no entropy either. With one latent the second-best information is
    0. Arguments, errors and result are those of `mig`.

    Source:
        Do and Tran, Theory and Evaluation Metrics for Learning Disentangled Representations, 2020,
        https://arxiv.org/abs/1908.09961
        Normalised as in Carbonneau et al., Measuring Disentanglement, 2022,
        https://arxiv.org/abs/2012.09276

    Deviations:
        Codes are binned posterior means; the authors integrate the posterior, as `rmig` does.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> round(jemmig(v + 0.0, v), 6)
        1.0
    """
    check_options(OPTIONS, seed, bins=bins)
    codes, factors = binned(codes, factors, bins)
    information = mutual_information(codes, factors)
    largest, of_factor = information.max(axis=0), entropies(factors)
    # of latents that tell equally much, the one that tells least besides
    alike = information >= largest - 1e-12
    best = np.where(alike, entropies(codes)[:, None], np.inf).min(axis=0)
    joint = best + of_factor - largest
    jemmig = joint - top_two_gap(information)
    return clipped(np.mean(1 - jemmig / (of_factor + np.log(bins))))
