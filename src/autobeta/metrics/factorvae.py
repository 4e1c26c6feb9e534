"""FactorVAE score: which latent varies least while one factor is held fixed."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._groups import (
    check_votes,
    draw_without_replacement,
    group,
    shared_factors,
)
from autobeta.metrics._validate import DEAD_FRACTION, Codes, Factors, check, live_latents

SOURCE = "Kim and Mnih 2018, https://arxiv.org/abs/1802.05983"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
DEFAULT = True
NEEDS = ("codes", "factors")
VARIANT = ""

_CHUNK = 1000  # votes worked on at once, to bound memory


def factorvae(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    num_train: int = 10_000,
    num_eval: int = 5_000,
    batch_size: int = 64,
    dead_fraction: float = DEAD_FRACTION,
    seed: int = 0,
) -> float:
    """Accuracy of a majority vote that tells the fixed factor from the latent that varies least.

        d* = argmin_d Var(c_d | v_k fixed) / Var(c_d),   score = mean(vote(d*) = k)

    A vote draws a factor with at least two values, then a row of the table whose value of that
    factor it shares with another row, then `batch_size` rows with this value without replacement,
    or all of them where there are fewer. Only live latents take part: those with a standard
    deviation of at least `dead_fraction` of the largest. Chance is about one over the number of
    factors. A constant factor is never drawn. Codes that are all constant score 0. Few points per
    factor value give noisy variances and a lower score.

    Args:
        codes: Posterior means, shape (num_points, num_latents), on a common scale.
        factors: Integer factor values, shape (num_points, num_factors).
        num_train: Number of votes that train the classifier.
        num_eval: Number of further votes that give the accuracy.
        batch_size: Largest number of rows per vote.
        dead_fraction: Latents with a smaller standard deviation, as a fraction of the largest one,
            are left out; 0 leaves out constant latents only.
        seed: Seed of the votes.

    Returns:
        Accuracy in [0, 1], higher is better.

    Raises:
        TypeError: If codes or factors are not numbers.
        ValueError: If fewer than 2 factors vary and have a value that two points share, since a
            vote for one of one is always right; if an option is out of range; or if the tables
            do not fit together.

    Source:
        Kim and Mnih, Disentangling by Factorising, 2018, section 4,
        https://arxiv.org/abs/1802.05983
        Settings of disentanglement_lib 86a644d, evaluation/metrics/factor_vae.py and its study.

    Deviations:
        Rows come from the encoded table, not from new images. Dead latents are left out on a
        relative scale (disentanglement_lib's study: below 0.05; its function: none, so that a
        constant latent wins every vote with 0 / 0).

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> factorvae(np.column_stack([v, 0 * v]), v)
        1.0
    """
    codes, factors = check(codes, factors)
    check_votes(num_train, num_eval, batch_size, dead_fraction)
    usable = shared_factors(factors, "factorvae")
    live = live_latents(codes, dead_fraction)
    if not live.any():
        return 0.0
    kept = codes[:, live].astype(np.float64)
    kept = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    rng = np.random.default_rng(seed)
    train = _votes(kept, factors[:, usable], num_train, batch_size, rng)
    test = _votes(kept, factors[:, usable], num_eval, batch_size, rng)
    return float(test[np.arange(len(test)), train.argmax(axis=1)].sum() / num_eval)


def _votes(
    codes: Codes, factors: Factors, num_votes: int, batch_size: int, rng: np.random.Generator
) -> Int[np.ndarray, "latents factors"]:
    """How often each latent varied least while each factor was fixed."""
    num_latents, num_factors = codes.shape[1], factors.shape[1]
    votes = np.zeros((num_latents, num_factors), dtype=np.int64)
    share = rng.multinomial(num_votes, np.full(num_factors, 1 / num_factors))
    for k, num in enumerate(share.tolist()):
        groups = group(factors[:, k])
        for part in np.array_split(groups.draw(num, rng), -(-max(num, 1) // _CHUNK)):
            drawn, valid = draw_without_replacement(groups.sizes[part], batch_size, rng)
            rows = groups.order[groups.starts[part][:, None] + drawn]
            winner = _squares(codes[rows], valid).argmin(axis=1)
            votes[:, k] += np.bincount(winner, minlength=num_latents)
    return votes


def _squares(
    batches: Float[np.ndarray, "votes batch latents"], valid: Bool[np.ndarray, "votes batch"]
) -> Float[np.ndarray, "votes latents"]:
    """Variance over the rows that count, times a number that all latents of a vote share."""
    weight = valid[:, :, None]
    mean = (batches * weight).sum(axis=1) / weight.sum(axis=1)
    return (((batches - mean[:, None]) * weight) ** 2).sum(axis=1)
