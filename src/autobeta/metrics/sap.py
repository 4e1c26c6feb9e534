"""Separated attribute predictability: accuracy gap of the two best latents."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC

from autobeta.metrics._information import top_two_gap
from autobeta.metrics._predictors import as_classes
from autobeta.metrics._validate import Table, check_any, split

SOURCE = "Kumar et al. 2018, https://arxiv.org/abs/1711.00848"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors", "test")
VARIANT = ""


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    test: Table | None = None,
    c: float = 0.01,
    seed: int = 0,
) -> float:
    """Gap in held-out accuracy between the two latents that predict each factor best.

        SAP = mean_k (S_(1)k - S_(2)k),   S_ik = accuracy of a linear classifier c_i -> v_k

    The classifier is a one-against-all linear support vector machine with balanced classes, on
    one latent alone, so that a factor of many values has a low accuracy even for a perfect code.
    Its penalty makes the score depend on the scale of the codes. For a continuous factor S is the
    R^2 of a straight line. A constant latent scores 0, and with one latent the second-best
    accuracy is 0.

    Args:
        codes: Posterior means, shape (num_points, num_latents), on the prior's scale.
        factors: Factor values, shape (num_points, num_factors). Columns that hold integers are
            predicted as classes, others as numbers.
        test: Held-out (codes, factors); without it a third of the points is held out by chance.
        c: Inverse penalty of the support vector machine.
        seed: Seed of the split and of the solver.

    Returns:
        Score in [0, 1], higher is better.

    Raises:
        TypeError: If codes or factors are not numbers.
        ValueError: If a factor is constant among the points used to fit, or if the tables do not
            fit together.

    Source:
        Kumar et al., Variational Inference of Disentangled Latent Concepts from Unlabeled
        Observations, 2018, section 3, https://arxiv.org/abs/1711.00848
        Checked against disentanglement_lib 86a644d, evaluation/metrics/sap_score.py, discrete.

    Deviations:
        Accuracy also for ordered factors that are integers, as in disentanglement_lib's study; the
        paper takes R^2 for these. Constant latents score 0, as in the paper; disentanglement_lib
        gives them the accuracy of a guess.

    Example:
        >>> v = np.stack(np.meshgrid([0, 1], [0, 1], range(30)), axis=-1).reshape(-1, 3)[:, :2]
        >>> sap(2.0 * v - 1, v, test=(2.0 * v - 1, v))
        0.5
    """
    checked, values = check_any(codes, factors)
    x, y, x_test, y_test = split(checked, values, test, seed)
    scores = np.zeros((x.shape[1], y.shape[1]))
    for i in np.flatnonzero(np.ptp(x, axis=0) > 0):
        for k in range(y.shape[1]):
            y_k, y_test_k = as_classes(y[:, k], y_test[:, k])
            classes = y_k.dtype.kind == "i"
            svm = LinearSVC(C=c, class_weight="balanced", random_state=seed)
            model = (svm if classes else LinearRegression()).fit(x[:, i : i + 1], y_k)
            scores[i, k] = max(0.0, model.score(x_test[:, i : i + 1], y_test_k))
    return float(np.mean(top_two_gap(scores)))
