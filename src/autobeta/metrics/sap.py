"""Separated attribute predictability: accuracy gap of the two best latents."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC

from autobeta.metrics._factors import labels_or_numbers
from autobeta.metrics._information import top_two_gap
from autobeta.metrics._options import check_options
from autobeta.metrics._predictors import held_out_score
from autobeta.metrics._validate import Held, clipped, split

SOURCE = "Kumar et al. 2018, https://arxiv.org/abs/1711.00848"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
OPTIONS = {"c": (1e-6, 1e6)}
LAWS = ("points", "latents", "factors", "signs", "values", "shift")
TOLERANCE = 0.01  # the solver stops within its own


def sap(
    codes: ArrayLike, factors: ArrayLike, *, test: Held = None, c: float = 0.01, seed: int = 0
) -> float:
    """Gap in held-out accuracy between the two latents that predict each factor best.

        SAP = mean_k (S_(1)k - S_(2)k),   S_ik = accuracy of a linear classifier c_i -> v_k

    The classifier is a one-against-all linear support vector machine with balanced classes, on
    one latent alone, so that a factor of many values has a low accuracy even for a perfect code.
    Its penalty, 1 / `c`, makes the score depend on the scale of the codes; it is on the intercept
    too, so codes are centred first. For a continuous factor S is the R^2 of a straight line. A
    constant latent scores 0, and with one latent the second-best accuracy is 0.

    Arguments, errors and result are those of `mig`, with codes on the prior's scale; columns of
    factors that hold integers are predicted as classes, others as numbers. `test` is held-out
    (codes, factors); without it `seed` holds out a third of the points.

    Source:
        Kumar et al., Variational Inference of Disentangled Latent Concepts from Unlabeled
        Observations, 2018, section 3, https://arxiv.org/abs/1711.00848
        Checked against disentanglement_lib 86a644d, evaluation/metrics/sap_score.py, discrete.

    Deviations:
        Accuracy also for ordered factors that are integers, as in disentanglement_lib's study; the
        paper takes R^2 for these. Constant latents score 0, as in the paper; disentanglement_lib
        gives them the accuracy of a guess, and does not centre.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(30)), axis=-1).reshape(-1, 3)[:, :2]
        >>> sap(2.0 * v - 1, v, test=(2.0 * v - 1, v))
        0.5
    """
    check_options(OPTIONS, seed, c=c)
    x, y, x_test, y_test = split(codes, factors, test, seed, labels_or_numbers)
    centre = x.mean(axis=0, dtype=np.float64)
    x, x_test = x - centre, x_test - centre
    scores = np.zeros((x.shape[1], len(y)))
    for i in np.flatnonzero(np.ptp(x, axis=0) > 0):
        for k, column in enumerate(y):
            svm = LinearSVC(C=c, class_weight="balanced", random_state=seed)
            model = svm if column.dtype.kind == "i" else LinearRegression()
            model.fit(x[:, i : i + 1], column)
            scores[i, k] = held_out_score(model, x_test[:, i : i + 1], y_test[k])
    return clipped(np.mean(top_two_gap(scores)))
