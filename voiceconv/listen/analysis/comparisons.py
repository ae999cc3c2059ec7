"""Systems compared two by two: differences with intervals, tests, Holm's correction.

A result for other listeners and other sentences must treat both as random samples (Clark 1973,
Journal of Verbal Learning and Verbal Behavior 12): a test over listeners alone is valid only for
these items, and finds differences that come from a few items. So there are several p:

- `p`: for other listeners and other items. Ratings: signed ranks (Wilcoxon 1945) of the differences
  of paired ratings, by one listener on one item; if listeners heard each item by one system only,
  ranks of the ratings minus listener and item effects (Hodges and Lehmann 1962, Annals of
  Mathematical Statistics 33). Student's t of the mean rank (Conover and Iman 1981, American
  Statistician 35: with independent pairs the same test as Wilcoxon's), its standard error and
  degrees of freedom from the variances over listeners, items and residuals. Preferences: the same t
  of the share minus 1/2, but p is at least that of the exact binomial test of as many independent
  choices, because the variances of few choices are uncertain. ABX: the exact binomial test,
  one-sided, because every listener who cannot hear a difference guesses, on every item.
- `beside`: "these items": `scipy.stats.wilcoxon` of the listeners' mean differences (zeros dropped;
  exact for up to 50 without ties, else by the normal approximation), which is not valid for other
  items; "these listeners": the same for the items' mean differences; for preferences the exact
  binomial test, as if all choices were independent.

benchmarks/listen_simulation.py has the false-alarm rates of all of them. That of `p` at 5% is 2% to
4% if systems differ neither by listener nor by item.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import sparse, stats
from statsmodels.stats.multitest import multipletests

from voiceconv.listen.analysis.intervals import (
    Cells,
    Estimate,
    Variances,
    estimate,
    table,
    variances,
)
from voiceconv.listen.analysis.ratings import Floats, Integers, Ratings

SIGNED_RANK = "Wilcoxon signed-rank, clustered by listeners and items"
ALIGNED_RANK = "Wilcoxon of aligned ratings, clustered by listeners and items"
SHARE = "t of the share, clustered by listeners and items"
PREFERENCE = f"{SHARE}, p at least the exact binomial"
BINOMIAL = "exact binomial, one-sided"
ITEMS, LISTENERS = "Wilcoxon over listeners, these items", "Wilcoxon over items, these listeners"
POOLED = "exact binomial, independent choices"
_ROUNDED = 9  # decimals: differences that are equal after rounding are ties
_TINY = 1e-12


class Contrast(NamedTuple):
    """Two systems compared.

    difference: ratings: second minus first; ab: the share that prefers second; abx: the share
    correct. p is of `test`; p_holm is corrected over all contrasts of the listening test.
    beside: p of tests for fewer conditions, by their names.
    """

    first: str
    second: str
    difference: Estimate
    test: str
    p: float
    p_holm: float
    n_pairs: int
    beside: dict[str, float]


class Adjusted(NamedTuple):
    """Ratings (n,) as effects of listener, item and system by least squares, and residuals."""

    effects: Floats  # of systems (S,)
    residual: Floats  # (n,)
    design: sparse.csr_array  # (n, L + I + S)
    inverse: Floats  # of its normal matrix


def adjust(ratings: Ratings) -> Adjusted:
    """Fit rating = listener + item + system, to remove effects of an unbalanced design."""
    sizes = [len(names) for names in (ratings.listeners, ratings.items, ratings.systems)]
    starts = np.cumsum([0, *sizes])
    columns = [ratings.listener, ratings.item + starts[1], ratings.system + starts[2]]
    n = len(ratings)
    design = sparse.csr_array(
        (np.ones(3 * n), (np.tile(np.arange(n), 3), np.concatenate(columns))),
        shape=(n, int(starts[3])),
    )
    inverse = np.linalg.pinv((design.T @ design).toarray(), rcond=1e-10, hermitian=True)
    found = inverse @ (design.T @ ratings.value)
    return Adjusted(found[starts[2] :], ratings.value - design @ found, design, inverse)


def contrasts(
    ratings: Ratings, names: Sequence[str], bounds: tuple[float, float], seed: int = 0
) -> list[Contrast]:
    """Ratings on a scale -> all pairs of `names` with ratings of both."""
    if not len(ratings):
        return []
    adjusted, width = adjust(ratings), bounds[1] - bounds[0]
    found = []
    for pair in _pairs(ratings, names):
        first, second = (ratings.systems.index(name) for name in pair)
        chosen = (ratings.system == first) | (ratings.system == second)
        cells = difference(ratings, adjusted, first, second)
        n = int(chosen.sum())
        reach = estimate(cells, seed, (-width, width), n)
        test, n_pairs, ranks = ranked(ratings, adjusted, first, second)
        p = clustered_p(ranks)
        beside = {
            ITEMS: wilcoxon(ratings, adjusted, first, second, ratings.listener),
            LISTENERS: wilcoxon(ratings, adjusted, first, second, ratings.item),
        }
        found.append(Contrast(*pair, reach, test, p, p, n_pairs, beside))
    return corrected(found)


def preferences(
    choices: Ratings, names: Sequence[str], *, right: bool, seed: int = 0
) -> list[Contrast]:
    """Choices -> all offered pairs of `names`; `right`: for ABX, where one choice is right."""
    found = []
    for pair in combinations(names, 2):
        own = choices.of(*pair)
        if not len(own):
            continue
        cells = table(own.listener, own.item, own.value)
        n, k = len(own), round(own.value.sum())
        share = estimate(cells, seed, (0.0, 1.0))
        share = _at_least_wilson(share, k)
        if right:
            p = float(stats.binomtest(k, n, alternative="greater").pvalue)
            beside = {SHARE: clustered_p(_less(cells, 0.5))}
        else:
            p = preference_p(cells)
            beside = {POOLED: float(stats.binomtest(k, n).pvalue)}
        found.append(Contrast(*pair, share, BINOMIAL if right else PREFERENCE, p, p, n, beside))
    return corrected(found)


def corrected(found: Sequence[Contrast]) -> list[Contrast]:
    """With Holm's correction (1979, Scandinavian Journal of Statistics 6) over all of them."""
    p = multipletests([one.p for one in found], method="holm")[1].tolist()
    return [one._replace(p_holm=value) for one, value in zip(found, p, strict=True)]


def difference(ratings: Ratings, adjusted: Adjusted, first: int, second: int) -> Cells:
    """Two systems, by number -> a table whose mean is second minus first, adjusted.

    If each listener rated both on each item, it is the table of paired differences; otherwise it
    has the residual of each rating, with the sign of its system.
    """
    sign, chosen = _signs(ratings, first, second)
    value = adjusted.effects[second] - adjusted.effects[first]
    values = value + sign * adjusted.residual
    cells = table(ratings.listener[chosen], ratings.item[chosen], values[chosen])
    return cells._replace(scale=_lost(ratings, adjusted, sign))


def clustered_p(cells: Cells) -> float:
    """Two-sided p of the mean being 0, by Student's t with `Variances.df`; 1 for one listener."""
    return _p(cells.mean, variances(cells))


def preference_p(cells: Cells) -> float:
    """Two-sided p of choices, 1 or 0, for equal shares: `clustered_p`, or the binomial test."""
    alone = stats.binomtest(round(cells.sums.sum()), cells.n).pvalue
    return max(clustered_p(_less(cells, 0.5)), float(alone))


def _p(mean: float, found: Variances) -> float:
    if abs(mean) < _TINY or found.n_listeners < 2:
        return 1.0
    error = np.sqrt(found.of_mean)
    if error < _TINY:  # all equal: a sign test with the number of listeners or items
        fewest = min(size for size in (found.n_listeners, found.n_items) if size > 1)
        return float(0.5 ** (fewest - 1))
    return float(2 * stats.t.sf(abs(mean) / error, found.df))


def _pairs(ratings: Ratings, names: Sequence[str]) -> list[tuple[str, str]]:
    rated = [name for name in names if (ratings.system == ratings.systems.index(name)).any()]
    return list(combinations(rated, 2))


def _signs(ratings: Ratings, first: int, second: int) -> tuple[Floats, Integers]:
    """(n,): n / n_second, -n / n_first, or 0, so that its mean product is a difference; the rows.

    n counts the ratings of the two.
    """
    is_first, is_second = ratings.system == first, ratings.system == second
    n_first, n_second = is_first.sum(), is_second.sum()
    n = n_first + n_second
    sign = np.where(is_second, n / n_second, np.where(is_first, -n / n_first, 0.0))
    return sign, np.flatnonzero(is_first | is_second)


def _lost(ratings: Ratings, adjusted: Adjusted, sign: Floats) -> tuple[float, float, float]:
    """`Cells.scale`: what sums of residuals times `sign` vary less than those of errors.

    Residuals are M e, M = 1 - X inverse(X'X) X'. Their sums H M e over listeners, items or cells
    have the total variance tr(H M H') = tr(H H') - tr(inverse(X'X) (H X)' (H X)), for errors whose
    variance is 1. What the mean of the cells takes of it is not counted: `variances` does that.
    """
    cell = ratings.listener * len(ratings.items) + ratings.item
    whole, n = (sign**2).sum(), len(sign)
    scale = []
    for group in (ratings.listener, ratings.item, cell):
        summed = sparse.csr_array((sign, (group, np.arange(n)))) @ adjusted.design
        counts = np.bincount(group[sign != 0])
        lost = (adjusted.inverse * (summed.T @ summed).toarray()).sum()
        lost -= whole * (counts**2).sum() / counts.sum() ** 2
        scale.append(float(whole / (whole - lost)) if lost < 0.9 * whole else 1.0)
    return scale[0], scale[1], scale[2]


def ranked(ratings: Ratings, adjusted: Adjusted, first: int, second: int) -> tuple[str, int, Cells]:
    """The test's name, its number of pairs, and a table of the ranks, whose mean is tested."""
    both = [ratings.where(ratings.system == system) for system in (first, second)]
    tables = [_by_cell(one) for one in both]
    common = sorted(tables[0].keys() & tables[1].keys())
    if 2 * len(common) >= max(len(one) for one in tables):  # most are paired
        listener, item = np.array(common).T
        differences = np.array([tables[1][cell] - tables[0][cell] for cell in common])
        return SIGNED_RANK, len(common), table(listener, item, signed_ranks(differences))
    sign, chosen = _signs(ratings, first, second)
    values = (adjusted.effects[ratings.system] + adjusted.residual)[chosen]
    ranks, own = np.zeros(len(ratings)), ratings.system
    ranks[chosen] = stats.rankdata(values.round(_ROUNDED))
    means = {system: ranks[own == system].mean() for system in (first, second)}
    deviation = ranks - np.where(own == second, means[second], means[first])
    scores = means[second] - means[first] + sign * deviation
    n_pairs = len(np.intersect1d(both[0].listener, both[1].listener))
    cells = table(ratings.listener[chosen], ratings.item[chosen], scores[chosen])
    return ALIGNED_RANK, n_pairs, cells._replace(scale=_lost(ratings, adjusted, sign))


def signed_ranks(differences: Floats) -> Floats:
    """Differences (n,) -> their ranks by size, with their signs; 0 for zeros."""
    rounded = differences.round(_ROUNDED)
    ranks = np.zeros(len(rounded))
    ranks[rounded != 0] = stats.rankdata(np.abs(rounded[rounded != 0]))
    return ranks * np.sign(rounded)


def _by_cell(ratings: Ratings) -> dict[tuple[int, int], float]:
    """(listener, item) -> the mean rating."""
    values: dict[tuple[int, int], list[float]] = {}
    for listener, item, value in zip(
        ratings.listener.tolist(), ratings.item.tolist(), ratings.value.tolist(), strict=True
    ):
        values.setdefault((listener, item), []).append(value)
    return {cell: float(np.mean(of_cell)) for cell, of_cell in values.items()}


def wilcoxon(
    ratings: Ratings, adjusted: Adjusted, first: int, second: int, unit: Integers
) -> float:
    """SciPy's p of each unit's mean difference, adjusted; 1 if all are 0."""
    values = adjusted.effects[ratings.system] + adjusted.residual
    means = []
    for system in (first, second):
        own = ratings.system == system
        counts = np.bincount(unit[own], minlength=unit.max() + 1)
        with np.errstate(invalid="ignore"):
            means.append(np.bincount(unit[own], values[own], len(counts)) / counts)
    differences = (means[1] - means[0]).round(_ROUNDED)
    differences = differences[np.isfinite(differences)]
    if not differences.any():
        return 1.0
    has_ties = len(np.unique(np.abs(differences))) < len(differences) or 0 in differences
    method = "asymptotic" if has_ties else "auto"  # SciPy's own choice takes seconds with ties
    return float(stats.wilcoxon(differences, method=method).pvalue)


def _less(cells: Cells, value: float) -> Cells:
    return Cells(cells.sums - value * cells.counts, cells.counts)


def _at_least_wilson(share: Estimate, k: int) -> Estimate:
    """At least as wide as for independent choices (Wilson 1927, JASA 22)."""
    if np.isnan(share.low):
        return share
    alone = stats.binomtest(k, share.n).proportion_ci(method="wilson")
    return share._replace(low=min(share.low, alone.low), high=max(share.high, alone.high))
