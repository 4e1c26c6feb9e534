"""Information gap of each latent between its two factors, the best latent of each factor."""

import numpy as np
from numpy.typing import ArrayLike

from autobeta.metrics._information import binned, entropies, mutual_information, top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import clipped

SOURCE = "Sepliarskaia et al. 2019, https://arxiv.org/abs/1910.05587"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = "bins=20"
OPTIONS = {"bins": (2, 10_000)}
LAWS = ("points", "latents", "factors", "signs", "values", "scales")


def dcimig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, seed: int = 0) -> float:
    """MIG the other way round: the gap is between factors, for each latent.

        g_i = I(c_i; v_(1)) - I(c_i; v_(2)),   credited to the latent's best factor v_(1)
        DCIMIG = sum_k max_(i: v_(1) = k) g_i / sum_k H(v_k)

    A latent that mixes factors is worth nothing; a second copy of a latent costs nothing, unlike
    in `mig`. Factors with many values weigh more. A dead latent has no gap and changes nothing.
    With one factor the second-best information is 0. All else is as for `mig`.

    Source:
        Sepliarskaia et al., How to Not Measure Disentanglement, 2019 (3CharM there),
        https://arxiv.org/abs/1910.05587
        The name is that of Carbonneau et al., 2022, https://arxiv.org/abs/2012.09276

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> round(dcimig(np.hstack([v, v]), v), 6)
        1.0
    """
    check_options(OPTIONS, seed, bins=bins)
    codes, factors = binned(codes, factors, bins)
    information = mutual_information(codes, factors)
    credit = np.zeros(factors.shape[1])
    np.maximum.at(credit, information.argmax(axis=1), top_two_gap(information.T))
    return clipped(credit.sum() / entropies(factors).sum())
