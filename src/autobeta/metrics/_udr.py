"""Unsupervised disentanglement ranking: how much each of several runs agrees with the others."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.linear_model import Lasso

from autobeta.metrics._options import check_options
from autobeta.metrics._predictors import fit_quietly
from autobeta.metrics._validate import check_codes, check_logvars, standardised

INFORMATIVE = 0.01  # nats
PENALTY = 0.1

Table = Float[np.ndarray, "points latents"]
Other = Float[np.ndarray, "points latents_b"]
Likeness = Float[np.ndarray, "latents latents_b"]


def udr(
    runs: Sequence[tuple[ArrayLike, ArrayLike]], *, seed: int = 0
) -> Float[np.ndarray, " runs"]:
    """Agreement of each run with the others, latent by latent, without any factors.

        R_ab = abs(coefficients of a lasso from the latents of a to those of b)
        UDR_ab = 1/2 (mean_b r_b^2 / sum_a R_ab + mean_a r_a^2 / sum_b R_ab),   r the largest
        UDR of a run = median over the others

    It rests on the finding that runs disentangle alike and entangle each in its own way. So it
    needs runs that differ in the seed at least, five or more for a steady median. Latents with a
    mean KL below 0.01 nats take no part; a run without any scores 0.

    `runs` are posterior means and log-variances, each of shape (num_points, num_latents), row by
    row of the same images; the number of latents may differ. A score in [0, 1], higher is better.

    Raises:
        TypeError, ValueError: As `score`; if there are fewer than 2 runs, or other points in each.

    Source:
        Duan et al., Unsupervised Model Selection for Variational Disentangled Representation
        Learning, 2020, https://arxiv.org/abs/1905.12614
        Checked against disentanglement_lib 86a644d, evaluation/udr/metrics/udr.py.

    Deviations:
        As disentanglement_lib, the mean of the two runs' means; the paper sums over the latents of
        both and divides by their number, which differs where runs have different numbers of
        informative latents.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(100, 3))
        >>> narrow = np.full(z.shape, -4.0)
        >>> udr([(z, narrow), (-z[:, ::-1], narrow)]).round(1).tolist()
        [0.9, 0.9]
    """
    check_options({}, seed)

    def lasso(a: Table, b: Other) -> Likeness:
        coefficients = fit_quietly(Lasso(alpha=PENALTY, random_state=seed), a, b).coef_
        return np.abs(coefficients).reshape(b.shape[1], a.shape[1]).T

    return _ranking(runs, lasso)


def udr_spearman(runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> Float[np.ndarray, " runs"]:
    """`udr` with the absolute rank correlation of each pair of latents in place of lasso."""

    def spearman(a: Table, b: Other) -> Likeness:
        a, b = standardised(rankdata(a, axis=0)), standardised(rankdata(b, axis=0))
        return np.abs(a.T @ b) / len(a)

    return _ranking(runs, spearman)


def _ranking(
    runs: Sequence[tuple[ArrayLike, ArrayLike]], likeness: Callable[[Table, Other], Likeness]
) -> Float[np.ndarray, " runs"]:
    codes = _informative(runs)
    strength = np.diag(np.full(len(codes), np.nan))  # none with itself
    for i, j in itertools.permutations(range(len(codes)), 2):
        if codes[i].shape[1] and codes[j].shape[1]:
            strength[i, j] = relative_strength(likeness(codes[i], codes[j]))
    return np.clip(np.nanmedian(strength, axis=0), 0, 1)  # rounding


def relative_strength(likeness: Likeness) -> float:
    """Largest entry squared over the sum, mean over columns and over rows, mean of both."""
    sides = []
    for table in (likeness, likeness.T):
        total = table.sum(axis=0)
        share = np.divide(table.max(axis=0) ** 2, total, out=0 * total, where=total > 0)
        sides.append(share.mean())
    return float(np.mean(sides))


def _informative(runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> list[Table]:
    """Codes of each run, standardised, without the latents whose mean KL is small."""
    if not isinstance(runs, Sequence):
        raise TypeError(f"`runs` must be a list; got a {type(runs).__name__}. Give list(runs).")
    if len(runs) < 2:
        raise ValueError(f"`runs` must be at least 2; got {len(runs)}. UDR compares runs.")
    tables = []
    for run in runs:
        if not isinstance(run, tuple | list) or len(run) != 2:
            raise TypeError(
                f"`runs` must be pairs of codes and logvars; got a {type(run).__name__}. Give "
                "[(codes, logvars), ...]."
            )
        codes, logvars = run
        mean = check_codes(codes).astype(np.float64)
        logvar = check_logvars(logvars, mean).astype(np.float64)
        kl = 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar).mean(axis=0)
        tables.append(standardised(mean[:, (kl > INFORMATIVE) & (np.ptp(mean, axis=0) > 0)]))
    lengths = [len(table) for table in tables]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"`runs` must have codes of the same points; got {lengths} points. "
            "Encode the same images with each run."
        )
    return tables
