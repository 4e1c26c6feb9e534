"""Methods compared seed by seed, with p values that allow for their number."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import stdtr

from autobeta.study._intervals import Value, finite, summary, t_ends

ALPHA = 0.05

Verdict = Literal["worse", "not told apart", "too few seeds", "no values"]


class Paired(NamedTuple):
    """Mean difference over `n` shared seeds, its 95 % interval and the p value of no difference.

    Interval and p are None below two shared seeds, and the difference without any.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int


class Comparison(NamedTuple):
    """A method less the best one, the p value adjusted for the family, and what follows."""

    paired: Paired
    adjusted: float | None
    verdict: Verdict


class Comparisons(NamedTuple):
    """The best method by mean, every other against it, and those not told from it.

    `indistinguishable` has the best method first; it holds those of too few seeds as well, since
    nothing tells them apart. `best` is None where no method has a value.
    """

    best: str | None
    others: dict[str, Comparison]
    indistinguishable: tuple[str, ...]


def paired(a: Mapping[int, Value], b: Mapping[int, Value]) -> Paired:
    """Mean of a - b over the seeds where both are finite, with the paired t test (two-sided).

    Where all differences are equal there is no spread to test against: the interval has width 0,
    and p is 1 if they are 0, or else 0. Few seeds of a count, such as active latents, are soon
    equal by chance; such a p of 0 is no strong evidence.

    Source:
        Student, The Probable Error of a Mean, 1908.

    Example:
        >>> paired({0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 1.0, 3: 9.0})
        Paired(difference=1.0, low=1.0, high=1.0, p=0.0, n=2)
    """
    pairs = [(a[seed], b[seed]) for seed in a if seed in b]
    kept, _ = finite(float(x) - float(y) for x, y in pairs if x is not None and y is not None)
    n = len(kept)
    if n == 0:
        return Paired(None, None, None, None, 0)
    mean = float(kept.mean())
    if n == 1:
        return Paired(mean, None, None, None, 1)
    std = float(np.std(kept, ddof=1))
    if kept[0] == kept[-1] or std == 0:  # a std may underflow, or be off 0 by rounding
        same = float(kept[0])
        return Paired(same, same, same, 1.0 if same == 0 else 0.0, n)
    low, high = t_ends(kept)
    t = mean / (std / math.sqrt(n))
    return Paired(mean, float(low), float(high), float(2 * stdtr(n - 1, -abs(t))), n)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P values adjusted for their number, by Holm's step-down procedure.

        adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)),   p_(1) <= ... <= p_(m)

    A None stays None and does not count in m. An adjusted p below .05 rejects at a familywise
    error rate of .05, however the tests depend on each other.

    Raises:
        ValueError: If a p value is not in [0, 1].

    Source:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.

    Example:
        >>> holm([0.01, None, 0.04])
        [0.02, None, 0.04]
    """
    for p in p_values:
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"`p_values` must be in [0, 1]; got {p}. Give None for no test.")
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = highest
    return adjusted


def comparisons(
    by_method: Mapping[str, Mapping[int, Value]], higher_is_better: bool
) -> Comparisons:
    """Every method against the one of the best mean, paired by seed, p adjusted by Holm.

    The best is that of the best mean over its own finite values, the first named if two tie. A
    difference is the method less the best. "worse" is an adjusted p below .05 on the worse side,
    "not told apart" one of at least .05: no proof of equality. "too few seeds" are fewer than two
    shared seeds, "no values" a method without any, which is not among the indistinguishable.

    The data that name the best also test it, so p values lean to small: an honest single
    comparison names its two methods beforehand, and calls `paired`.

    Source:
        Student, 1908, for each pair; Holm, 1979, for the family.

    Example:
        >>> runs = {"vae": {0: 0.1, 1: 0.2}, "lvae": {0: 0.8, 1: 0.9}, "lvae2": {0: 0.5}}
        >>> found = comparisons(runs, higher_is_better=True)
        >>> found.best, found.others["vae"].verdict, found.indistinguishable
        ('lvae', 'worse', ('lvae', 'lvae2'))
    """
    sign = 1 if higher_is_better else -1
    summaries = {name: summary(values.values()) for name, values in by_method.items()}
    means = {
        name: sign * found.mean for name, found in summaries.items() if found.mean is not None
    }
    if not means:
        nothing = Comparison(Paired(None, None, None, None, 0), None, "no values")
        return Comparisons(None, dict.fromkeys(by_method, nothing), ())
    best = max(means, key=means.__getitem__)
    pairs = {name: paired(v, by_method[best]) for name, v in by_method.items() if name != best}
    adjusted = holm([pair.p for pair in pairs.values()])
    others = {
        name: Comparison(pair, p, _verdict(pair, p, sign) if name in means else "no values")
        for (name, pair), p in zip(pairs.items(), adjusted, strict=True)
    }
    left = ("not told apart", "too few seeds")
    return Comparisons(best, others, (best, *(n for n, c in others.items() if c.verdict in left)))


def _verdict(pair: Paired, adjusted: float | None, sign: int) -> Verdict:
    if adjusted is None or pair.difference is None:
        return "too few seeds"
    is_worse = adjusted < ALPHA and sign * pair.difference < 0
    return "worse" if is_worse else "not told apart"
