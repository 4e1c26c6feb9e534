"""FactorVAE score: which latent varies least while one factor is held fixed."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._validate import (
    DEAD_FRACTION,
    Codes,
    Factors,
    check,
    constant_factors,
    live_latents,
)

SOURCE = "Kim and Mnih 2018, https://arxiv.org/abs/1802.05983"
RANGE = (0.0, 1.0)
HIGHER_IS_BETTER = True
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
        ValueError: If all factors are constant, if no two points share a factor value, if an
            option is out of range, or if the tables do not fit together.

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
    _check_options(num_train, num_eval, batch_size, dead_fraction)
    usable = _usable(factors)
    live = live_latents(codes, dead_fraction)
    if not live.any():
        return 0.0
    kept = codes[:, live].astype(np.float64)
    kept = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    rng = np.random.default_rng(seed)
    train = _votes(kept, factors[:, usable], num_train, batch_size, rng)
    test = _votes(kept, factors[:, usable], num_eval, batch_size, rng)
    return float(test[np.arange(len(test)), train.argmax(axis=1)].sum() / num_eval)


def _check_options(num_train: int, num_eval: int, batch_size: int, dead_fraction: float) -> None:
    """Refuse options that leave nothing to vote on."""
    if min(num_train, num_eval) < 1:
        raise ValueError(
            f"`num_train` and `num_eval` must be at least 1; got {num_train} and {num_eval}."
        )
    if batch_size < 2:
        raise ValueError(
            f"`batch_size` must be at least 2; got {batch_size}. One row has no variance."
        )
    if not 0 <= dead_fraction < 1:
        raise ValueError(f"`dead_fraction` must be in [0, 1); got {dead_fraction}.")


def _usable(factors: Factors) -> list[int]:
    """Factors that vary and have a value shared by two rows."""
    varying = np.setdiff1d(np.arange(factors.shape[1]), constant_factors(factors)).tolist()
    if not varying:
        raise ValueError("`factors` must have a column that varies; all columns are constant.")
    shared = [k for k in varying if len(np.unique(factors[:, k])) < len(factors)]
    if not shared:
        raise ValueError(
            "`factors` must have a column in which two points share a value; every value occurs "
            "once. Encode more points."
        )
    return shared


def _votes(
    codes: Codes, factors: Factors, num_votes: int, batch_size: int, rng: np.random.Generator
) -> Int[np.ndarray, "latents factors"]:
    """How often each latent varied least while each factor was fixed."""
    num_latents, num_factors = codes.shape[1], factors.shape[1]
    votes = np.zeros((num_latents, num_factors), dtype=np.int64)
    for k, num in enumerate(rng.multinomial(num_votes, np.full(num_factors, 1 / num_factors))):
        order = np.argsort(factors[:, k], kind="stable")
        _, starts, sizes = np.unique(factors[order, k], return_index=True, return_counts=True)
        # the value of a random row, so that a value is drawn as often as it occurs
        weight = np.where(sizes > 1, sizes, 0) / sizes[sizes > 1].sum()
        group = rng.choice(len(sizes), size=num, p=weight)
        for part in np.array_split(group, -(-max(num, 1) // _CHUNK)):
            drawn, valid = draw_without_replacement(sizes[part], batch_size, rng)
            rows = order[starts[part][:, None] + drawn]
            winner = _squares(codes[rows], valid).argmin(axis=1)
            votes[:, k] += np.bincount(winner, minlength=num_latents)
    return votes


def draw_without_replacement(
    sizes: Int[np.ndarray, " votes"], batch_size: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "votes batch"], Bool[np.ndarray, "votes batch"]]:
    """Draw from range(size) without replacement, for many sizes at once (Floyd's algorithm).

    Returns:
        The numbers drawn, and which of them count: a size below `batch_size` is drawn whole and
        the rest of its row is 0 and does not count.

    Example:
        >>> drawn, valid = draw_without_replacement(np.array([3]), 4, np.random.default_rng(0))
        >>> sorted(drawn[valid].tolist())
        [0, 1, 2]
    """
    taken = np.minimum(sizes, batch_size)
    valid = np.arange(batch_size) < taken[:, None]
    drawn = np.zeros(valid.shape, dtype=np.int64)
    for i in range(batch_size):
        last = np.maximum(sizes - taken + i, 0)
        pick = (rng.random(len(sizes)) * (last + 1)).astype(np.int64)
        seen = (drawn[:, :i] == pick[:, None]).any(axis=1)
        drawn[:, i] = np.where(seen, last, pick)
    return np.where(valid, drawn, 0), valid


def _squares(
    batches: Float[np.ndarray, "votes batch latents"], valid: Bool[np.ndarray, "votes batch"]
) -> Float[np.ndarray, "votes latents"]:
    """Variance over the rows that count, times a number that all latents of a vote share."""
    weight = valid[:, :, None]
    mean = (batches * weight).sum(axis=1) / weight.sum(axis=1)
    return (((batches - mean[:, None]) * weight) ** 2).sum(axis=1)
