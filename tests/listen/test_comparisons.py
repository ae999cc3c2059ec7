"""Differences and tests against scipy, statsmodels and by hand; false alarms by simulation."""

import numpy as np
import pytest
from scipy import stats

from voiceconv.listen.analysis import comparisons
from voiceconv.listen.analysis.comparisons import (
    ALIGNED_RANK,
    BINOMIAL,
    ITEMS,
    LISTENERS,
    POOLED,
    PREFERENCE,
    SHARE,
    SIGNED_RANK,
    adjust,
    clustered_p,
    contrasts,
    difference,
    preference_p,
    preferences,
    ranked,
    signed_ranks,
)
from voiceconv.listen.analysis.intervals import estimate, table
from voiceconv.listen.analysis.ratings import Ratings

RNG = np.random.default_rng(11)


def step_down(p):
    """Holm by hand: the smallest p times their number, the next times one less, never falling."""
    largest, result = 0.0, {}
    for rank, place in enumerate(np.argsort(p)):
        largest = max(largest, p[place] * (len(p) - rank))
        result[place] = min(1.0, largest)
    return [result[place] for place in range(len(p))]


def ratings_of(values, chosen=None) -> Ratings:
    """Values (L, I, S), of which only some may have been given."""
    chosen = np.ones(values.shape, bool) if chosen is None else chosen
    listener, item, system = np.nonzero(chosen)
    names = [tuple(f"{kind}{n}" for n in range(size)) for kind, size in zip("lis", values.shape)]  # noqa: B905
    nowhere = np.zeros(len(listener), np.int64)
    return Ratings(*names, ("",), listener, item, nowhere, system, system, values[chosen])


def choices_of(values, chosen=None) -> Ratings:
    """Values (L, I) of choices between s0 and s1."""
    own = ratings_of(values[:, :, None].astype(float), chosen)
    second = np.ones(len(own), np.int64)
    return Ratings(**{**vars(own), "systems": ("s0", "s1"), "other": second})


def latin(n_listeners, n_items, n_systems):
    """Each listener gets each item by one system."""
    listener, item, system = np.ogrid[:n_listeners, :n_items, :n_systems]
    return (listener + item) % n_systems == system


def simulated(rng, shape, item_by_system=0.4, listener_by_system=0.3):
    """Ratings from 1 to 5 of systems that are as good as each other."""
    L, I, S = shape  # noqa: E741
    worth = 3 + rng.normal(0, 0.5, (L, 1, 1)) + rng.normal(0, 0.3, (1, I, 1))
    worth = worth + rng.normal(0, listener_by_system, (L, 1, S))
    worth = worth + rng.normal(0, item_by_system, (1, I, S))
    return np.clip(np.rint(worth + rng.normal(0, 0.7, shape)), 1, 5)


def test_signed_ranks_by_hand():
    assert signed_ranks(np.array([0.5, -2.0, 0.0, 0.5, 3.0])).tolist() == [1.5, -3, 0, 1.5, 4]


def test_of_independent_pairs_the_clustered_test_is_wilcoxons():
    """One pair a listener, on one item: t^2 = (n - 1) z^2 / (n - z^2), z scipy's."""
    values = RNG.normal(0, 1, (40, 1, 2)) + [0.0, 0.4]
    ratings = ratings_of(values)
    test, n_pairs, ranks = ranked(ratings, adjust(ratings), 0, 1)
    z = stats.wilcoxon(values[:, 0, 1] - values[:, 0, 0], method="asymptotic").zstatistic
    t = np.sqrt(39 * z**2 / (40 - z**2))
    assert (test, n_pairs) == (SIGNED_RANK, 40)
    assert clustered_p(ranks) == pytest.approx(2 * stats.t.sf(t, 39), rel=1e-6)
    (found,) = contrasts(ratings, ["s0", "s1"], (-5, 5))
    exact = stats.wilcoxon(values[:, 0, 1] - values[:, 0, 0]).pvalue  # 40 without ties
    assert found.beside[ITEMS] == pytest.approx(exact)
    assert found.p == pytest.approx(exact, rel=0.05)


def test_a_complete_test_is_a_table_of_paired_differences():
    values = simulated(RNG, (8, 6, 3))
    ratings = ratings_of(values)
    own = values[:, :, 2] - values[:, :, 0]
    found = contrasts(ratings, ["s0", "s1", "s2"], (1, 5))
    assert [one[:2] for one in found] == [("s0", "s1"), ("s0", "s2"), ("s1", "s2")]
    one = found[1]
    assert one.difference.mean == pytest.approx(own.mean())
    assert one.difference[3:] == (96, 8, 6) and one.n_pairs == 48 and one.test == SIGNED_RANK
    assert one.beside[ITEMS] == pytest.approx(
        stats.wilcoxon(own.mean(1).round(9), method="asymptotic").pvalue
    )
    assert one.beside[LISTENERS] == pytest.approx(
        stats.wilcoxon(own.mean(0).round(9), method="asymptotic").pvalue, rel=0.2
    )  # exact where scipy can
    assert [c.p_holm for c in found] == pytest.approx(step_down([c.p for c in found]))
    cells = difference(ratings, adjust(ratings), 0, 2)
    np.testing.assert_allclose(cells.sums / cells.counts, own, rtol=1e-9, atol=1e-9)
    listener, item = np.indices(own.shape).reshape(2, -1)
    paired = estimate(table(listener, item, own.ravel()))
    assert one.difference[:3] == pytest.approx(paired[:3], rel=1e-6)


def test_an_incomplete_tests_differences_are_statsmodels_least_squares():
    formula = pytest.importorskip("statsmodels.formula.api")
    pandas = pytest.importorskip("pandas")
    values = simulated(RNG, (10, 9, 3))
    ratings = ratings_of(values, latin(10, 9, 3) & (RNG.random((10, 9, 3)) < 0.8))
    columns = {"y": ratings.value, "l": ratings.listener, "i": ratings.item, "s": ratings.system}
    fitted = formula.ols("y ~ C(l) + C(i) + C(s)", pandas.DataFrame(columns)).fit()
    adjusted = adjust(ratings)
    for system in (1, 2):
        effect = fitted.params[f"C(s)[T.{system}]"]
        assert difference(ratings, adjusted, 0, system).mean == pytest.approx(effect, rel=1e-7)
    assert adjusted.residual == pytest.approx(fitted.resid.to_numpy(), abs=1e-8)


def test_scaled_residuals_have_the_variance_of_errors():
    """Sums over listeners, items and cells, squared: on average those of errors less their mean."""
    chosen, squares = latin(6, 6, 3), np.zeros(3)
    for _ in range(400):
        ratings = ratings_of(RNG.normal(0, 1, (6, 6, 3)), chosen)
        cells = difference(ratings, adjust(ratings), 0, 1)
        deviations = cells.sums - cells.mean * cells.counts
        sums = (deviations.sum(1), deviations.sum(0), deviations)
        squares += [scale * (own**2).sum() for scale, own in zip(cells.scale, sums, strict=True)]
    # 24 ratings, each with the weight 24 / 12, less what the mean takes: of the six sums a sixth
    expected = 24 * 2**2 * np.array([5 / 6, 5 / 6, 23 / 24])
    assert squares / 400 == pytest.approx(expected, rel=0.08)
    complete = ratings_of(RNG.normal(0, 1, (6, 6, 3)))
    scale = difference(complete, adjust(complete), 0, 1).scale
    assert scale == pytest.approx((1, 1, 1))  # nothing but the mean was fitted to differences


def test_who_rated_what_favours_no_system():
    """Harsh listeners heard more of the second: the difference stays what it is, 1."""
    harsh = np.array([0.0, 0.0, 0.0, -2.0, -2.0, -2.0])
    values = 3 + harsh[:, None, None] + np.zeros((6, 5, 2)) + [0.0, 1.0]
    chosen = np.ones(values.shape, bool)
    chosen[:3, 2:, 1] = False
    (found,) = contrasts(ratings_of(values, chosen), ["s0", "s1"], (1, 5))
    assert found.difference[:3] == pytest.approx((1.0, 1.0, 1.0))
    assert found.p == pytest.approx(0.5**4)  # all alike: a sign test of five items


def test_of_equal_ratings_nothing_is_found():
    (found,) = contrasts(ratings_of(np.full((5, 6, 2), 3.0)), ["s0", "s1"], (1, 5))
    assert found.difference[:3] == pytest.approx((0, 0, 0))
    assert (found.p, found.p_holm, found.beside) == (1.0, 1.0, {ITEMS: 1.0, LISTENERS: 1.0})
    assert contrasts(ratings_of(np.full((5, 6, 2), 3.0)), ["s0"], (1, 5)) == []


def test_the_names_of_the_tests():
    values = simulated(RNG, (8, 8, 2))
    for chosen, name in ((None, SIGNED_RANK), (latin(8, 8, 2), ALIGNED_RANK)):
        assert contrasts(ratings_of(values, chosen), ["s0", "s1"], (1, 5))[0].test == name


@pytest.mark.parametrize("k", [0, 50, 62, 100])
def test_choices_are_scipys_binomial(k):
    values = np.zeros(100)
    values[RNG.permutation(100)[:k]] = 1
    choices = choices_of(values.reshape(10, 10))
    (found,) = preferences(choices, ["s0", "s1"], right=False)
    assert found.difference.mean == k / 100 and found[2][3:] == (100, 10, 10)
    assert found.beside[POOLED] == pytest.approx(stats.binomtest(k, 100).pvalue)
    wilson = stats.binomtest(k, 100).proportion_ci(method="wilson")
    assert found.difference.low <= wilson.low and wilson.high <= found.difference.high
    assert found.test == PREFERENCE and (found.p < 0.05) == (k in (0, 100))
    (heard,) = preferences(choices, ["s0", "s1"], right=True)
    assert heard.test == BINOMIAL and list(heard.beside) == [SHARE]
    assert heard.p == pytest.approx(stats.binomtest(k, 100, alternative="greater").pvalue)


@pytest.mark.parametrize(("k", "n"), [(7, 8), (8, 8), (1, 8), (4, 8), (12, 15)])
def test_of_few_choices_p_is_no_lower_than_the_binomials(k, n):
    """One choice a listener, on one item: t alone would say 0.020 of 7 in 8, which is 18 / 256."""
    values = (np.arange(n) < k)[:, None]
    (found,) = preferences(choices_of(values), ["s0", "s1"], right=False)
    t = stats.ttest_1samp(values[:, 0].astype(float), 0.5).pvalue if k < n else 0.5 ** (n - 1)
    exact = stats.binomtest(k, n).pvalue
    assert found.beside[POOLED] == pytest.approx(exact)
    assert found.p == pytest.approx(max(exact, t), rel=1e-6)
    if (k, n) == (7, 8):
        assert t == pytest.approx(0.020, abs=5e-4) and found.p == pytest.approx(18 / 256)
    (heard,) = preferences(choices_of(values), ["s0", "s1"], right=True)
    assert heard.beside[SHARE] == pytest.approx(t, rel=1e-6)


def test_listeners_who_disagree_are_no_hundred_choices():
    """Seven of ten listeners prefer the second, always: p of 7 in 10, not of 70 in 100."""
    choices = choices_of(np.repeat(np.arange(10) < 7, 10).reshape(10, 10))
    (found,) = preferences(choices, ["s0", "s1"], right=False)
    assert found.beside[POOLED] == pytest.approx(stats.binomtest(70, 100).pvalue)
    t = stats.ttest_1samp(np.arange(10) < 7, 0.5)
    assert found.p == pytest.approx(t.pvalue, rel=1e-6)
    assert found.beside[POOLED] < 1e-4 and found.p > 0.2


@pytest.mark.parametrize("is_split", [False, True])
def test_false_alarms_are_5_percent(is_split):
    """300 tests of two systems alike: as many alarms as 5% could give by chance.

    Over listeners alone Wilcoxon's test finds what some items do: three times as many.
    """
    rng, found, on_items = np.random.default_rng(5), 0, 0
    shape = (16, 16, 2)
    for _ in range(300):
        ratings = ratings_of(simulated(rng, shape), latin(*shape) if is_split else None)
        adjusted = adjust(ratings)
        found += clustered_p(ranked(ratings, adjusted, 0, 1)[2]) < 0.05
        on_items += comparisons.wilcoxon(ratings, adjusted, 0, 1, ratings.listener) < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 300, 0.05)
    assert low <= found <= high, found
    assert on_items > high, on_items


def test_a_preference_without_preferences_alarms_in_5_percent():
    """Of choices that listeners and items sway, the same of the share; the binomial test more."""
    rng, found, pooled = np.random.default_rng(6), 0, 0
    for _ in range(300):
        sway = rng.normal(0, 0.5, (20, 1)) + rng.normal(0, 0.5, (1, 20))
        values = (sway + rng.normal(0, 1, (20, 20)) > 0).astype(float)
        listener, item = np.indices(values.shape).reshape(2, -1)
        found += preference_p(table(listener, item, values.ravel())) < 0.05
        pooled += stats.binomtest(int(values.sum()), 400).pvalue < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 300, 0.05)
    assert low <= found <= high, found
    assert pooled > 2 * high, pooled
