"""β-VAE score: whether a linear classifier tells which factor two images share."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression

from autobeta.metrics._groups import Groups, live_and_groups
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import DEAD_FRACTION, Codes

SOURCE = "Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
OPTIONS = {
    "num_train": (1, 1_000_000),
    "num_eval": (1, 1_000_000),
    "batch_size": (2, 1_000),
    "dead_fraction": (0.0, 1.0),
}
DEAD_RULE = True
LAWS = ("points", "latents", "factors", "signs", "values", "scales", "shift")
TOLERANCE = 0.06  # five standard errors of the difference of 5,000 votes

_CHUNK = 1000  # votes worked on at once, to bound memory


def betavae(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    logvars: ArrayLike | None = None,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    batch_size: int = 64,
    dead_fraction: float = DEAD_FRACTION,
    seed: int = 0,
) -> float:
    """Accuracy of a linear classifier that tells a shared factor from differences of codes.

        x = mean over a batch of pairs of abs(c(1) - c(2)),   both of one value of factor k
        score = accuracy of a logistic regression x -> k on new batches

    A batch draws a factor, then `batch_size` rows, and to each another row with the same value of
    that factor. It asks much less than its name promises: a latent need only vary a little less
    while its factor is shared, so rotated codes score near 1. Chance is one over the number of
    factors. Constant factors and values that occur once are never drawn. Codes that are all
    constant score 0. All else is as for `factorvae`, with batches of pairs in place of votes.

    Source:
        Higgins et al., beta-VAE, 2017, section 3, https://openreview.net/forum?id=Sy2fzU9gl
        Settings of disentanglement_lib 86a644d, evaluation/metrics/beta_vae.py and its study.

    Deviations:
        Rows come from the encoded table, not from new images, and a row is not paired with
        itself. Differences are scaled to unit variance over the training batches, so that the
        classifier's penalty does not depend on the scale of the codes.

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> betavae(v, v, num_train=200, num_eval=200)
        1.0
    """
    check_options(OPTIONS, seed, num_train=num_train, num_eval=num_eval)
    check_options(OPTIONS, seed, batch_size=batch_size, dead_fraction=dead_fraction)
    live, groups = live_and_groups(codes, factors, logvars, dead_fraction, "betavae")
    if live.shape[1] == 0:
        return 0.0
    rng = np.random.default_rng(seed)
    train, shared = _batches(live, groups, num_train, batch_size, rng)
    test, expected = _batches(live, groups, num_eval, batch_size, rng)
    centre, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    if len(np.unique(shared)) == 1:
        return float(np.mean(expected == shared[0]))
    classifier = LogisticRegression(max_iter=10_000).fit((train - centre) / spread, shared)
    return float(classifier.score((test - centre) / spread, expected))


def _batches(
    codes: Codes, groups: list[Groups], num: int, batch_size: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "num latents"], Int[np.ndarray, " num"]]:
    """Mean absolute difference of each latent over each batch, and the factor it shares."""
    shared = rng.integers(len(groups), size=num)
    differences = np.empty((num, codes.shape[1]))
    for k, rows in enumerate(groups):
        where = np.flatnonzero(shared == k)
        for part in np.array_split(where, -(-max(len(where), 1) // _CHUNK)):
            value = rows.draw(len(part) * batch_size, rng)
            start, size = rows.starts[value], rows.sizes[value]
            first = rng.integers(size)
            second = (first + rng.integers(1, size)) % size  # another of the same value
            apart = np.abs(codes[rows.order[start + first]] - codes[rows.order[start + second]])
            batches = apart.reshape(len(part), batch_size, -1)
            differences[part] = batches.mean(axis=1, dtype=np.float64)
    return differences, shared
