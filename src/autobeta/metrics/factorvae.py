"""FactorVAE score: which latent varies least while one factor is held fixed."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from autobeta.metrics._groups import Groups, draw_without_replacement, live_and_groups
from autobeta.metrics._options import check_options
from autobeta.metrics._validate import DEAD_FRACTION, Codes, standardised

SOURCE = "Kim and Mnih 2018, https://arxiv.org/abs/1802.05983"
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


def factorvae(
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
    """Accuracy of a majority vote that tells the fixed factor from the latent that varies least.

        d* = argmin_d Var(c_d | v_k fixed) / Var(c_d),   score = mean(vote(d*) = k)

    A vote draws a factor that varies, then a row of the table whose value of that factor it shares
    with another row, then `batch_size` rows with this value without replacement, or all of them
    where there are fewer. Only live latents take part: those that are not constant and, where
    `logvars` are given, vary by more than `dead_fraction` of their posteriors' mean variance.
    Chance is about one over the number of factors. Codes that are all constant score 0. Few points
    per factor value give noisy variances: a good code scores a little lower, noise far above
    chance.

    Arguments, errors and result are those of `mig`, besides `logvars`, the posterior's
    log-variances of the shape of `codes`; `num_train` votes train the classifier, `num_eval` more
    score it. Two factors at least must vary.

    Source:
        Kim and Mnih, Disentangling by Factorising, 2018, section 4,
        https://arxiv.org/abs/1802.05983
        Settings of disentanglement_lib 86a644d, evaluation/metrics/factor_vae.py and its study.

    Deviations:
        Rows come from the encoded table, not from new images. The authors leave out latents
        whose KL is near 0; here they are told by variance against noise, which any scale leaves
        (disentanglement_lib's study: standard deviations below 0.05; its function: none, so that a
        constant latent wins every vote with 0 / 0).

    Example:
        >>> v = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=-1).reshape(-1, 2)
        >>> factorvae(np.column_stack([v, 0 * v]), v)
        1.0
    """
    check_options(OPTIONS, seed, num_train=num_train, num_eval=num_eval)
    check_options(OPTIONS, seed, batch_size=batch_size, dead_fraction=dead_fraction)
    live, groups = live_and_groups(codes, factors, logvars, dead_fraction, "factorvae")
    if live.shape[1] == 0:
        return 0.0
    z, rng = standardised(live), np.random.default_rng(seed)
    train, test = (_votes(z, groups, num, batch_size, rng) for num in (num_train, num_eval))
    return float(test[np.arange(len(test)), train.argmax(axis=1)].sum() / num_eval)


def _votes(
    codes: Codes, groups: list[Groups], num_votes: int, batch_size: int, rng: np.random.Generator
) -> Int[np.ndarray, "latents factors"]:
    """How often each latent varied least while each factor was fixed."""
    votes = np.zeros((codes.shape[1], len(groups)), dtype=np.int64)
    share = rng.multinomial(num_votes, np.full(len(groups), 1 / len(groups)))
    for k, (num, rows) in enumerate(zip(share.tolist(), groups, strict=True)):
        for part in np.array_split(rows.draw(num, rng), -(-max(num, 1) // _CHUNK)):
            drawn, valid = draw_without_replacement(rows.sizes[part], batch_size, rng)
            batches = codes[rows.order[rows.starts[part][:, None] + drawn]]
            winner = _squares(batches, valid).argmin(axis=1)
            votes[:, k] += np.bincount(winner, minlength=len(votes))
    return votes


def _squares(
    batches: Float[np.ndarray, "votes batch latents"], valid: Bool[np.ndarray, "votes batch"]
) -> Float[np.ndarray, "votes latents"]:
    """Variance over the rows that count, times a number that all latents of a vote share."""
    weight = valid[:, :, None]
    mean = (batches * weight).sum(axis=1) / weight.sum(axis=1)
    return (((batches - mean[:, None]) * weight) ** 2).sum(axis=1)
