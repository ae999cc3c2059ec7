"""Intervals over listeners and items: by hand, against statsmodels, and by simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from voiceconv.listen.analysis import intervals
from voiceconv.listen.analysis.intervals import Cells, Variances, estimate, table, variances

RNG = np.random.default_rng(7)


def crossed(rng, n_listeners, n_items, listener, item, residual=1.0):
    """A complete table of the model, whose mean is 0."""
    effects = rng.normal(0, listener, (n_listeners, 1)) + rng.normal(0, item, (1, n_items))
    values = effects + rng.normal(0, residual, (n_listeners, n_items))
    return Cells(values, np.ones_like(values))


def incomplete(rng, n_listeners=9, n_items=7):
    """Counts of 0, 1 and 2 answers."""
    return rng.choice([0.0, 1.0, 2.0], (n_listeners, n_items), p=[0.4, 0.5, 0.1])


def test_variances_of_a_complete_table_are_those_of_statsmodels_analysis_of_variance():
    pandas = pytest.importorskip("pandas")
    formula = pytest.importorskip("statsmodels.formula.api")
    anova = pytest.importorskip("statsmodels.stats.anova").anova_lm
    cells = crossed(RNG, 8, 5, 1.0, 1.5)
    listener, item = np.indices((8, 5)).reshape(2, -1)
    data = {"y": cells.sums.ravel(), "listener": listener, "item": item}
    result = anova(formula.ols("y ~ C(listener) + C(item)", pandas.DataFrame(data)).fit())
    square = result["sum_sq"] / result["df"]
    found = variances(cells)
    assert found.residual == pytest.approx(square["Residual"], rel=1e-8)
    assert found.listener == pytest.approx(
        (square["C(listener)"] - square["Residual"]) / 5, rel=1e-8
    )
    assert found.item == pytest.approx((square["C(item)"] - square["Residual"]) / 8, rel=1e-8)
    assert found[3:] == pytest.approx((1 / 8, 1 / 5, 1 / 40, 8, 5, 40))


def test_moments_are_unbiased_for_any_table():
    """What variances add to the sums of squares, as traces of explicit matrices."""
    counts = incomplete(RNG)
    places = np.indices(counts.shape).reshape(2, -1)
    listener, item = np.repeat(places, counts.ravel().astype(int), axis=1)
    n = len(listener)
    centre = np.eye(n) - 1 / n
    cell = listener * counts.shape[1] + item
    same = [np.equal.outer(one, one).astype(float) for one in (listener, item, cell)]
    covariance = [same[0], same[1], np.eye(n)]  # of the answers, for variances of 1
    expected = [[np.trace(s @ centre @ c @ centre) for c in covariance] for s in same]
    w, v = np.ones((1, counts.shape[0])), np.ones((1, counts.shape[1]))
    of_listener, of_item, squares = v @ counts.T, w @ counts, w @ counts**2
    found = intervals._expected(
        Cells(counts, counts), w, v, of_listener, of_item, np.array([n]), squares.sum(1), squares
    )[0]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_listeners_who_alone_differ_make_students_interval():
    """Of one item, and of equal items: the mean of the listeners' means, L - 1 degrees."""
    values = RNG.normal(3, 1, 30)
    for repeats in (1, 4):
        cells = Cells(np.tile(values[:, None], repeats), np.ones((30, repeats)))
        found = variances(cells)
        assert found.of_mean == pytest.approx(values.var(ddof=1) / 30, rel=1e-9)
        assert found.df == pytest.approx(29, rel=1e-6)
        one = estimate(cells)
        reach = stats.t.ppf(0.975, 29) * stats.sem(values)
        assert one.mean == pytest.approx(values.mean()) and one[3:] == (30 * repeats, 30, repeats)
        assert reach * (1 - 1e-9) <= one.high - one.mean < 1.06 * reach  # or the bootstrap's


def test_degrees_of_freedom_by_hand():
    """Mean squares of means 5, 3, 1: (5 + 3 - 1)^2 / (25 / 9 + 9 / 4 + 1 / 36)."""
    found = Variances(4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 10, 5, 50)
    assert found.of_mean == 7.0
    assert found.df == pytest.approx(49 / (25 / 9 + 9 / 4 + 1 / 36))
    # A negative part is taken from the other, not from the residual's: 4 - 1 + 1, 1
    less = found._replace(item=-1.0)
    assert (less.of_mean, less.df) == pytest.approx((4.0, 16 / (25 / 9 + 0 + 1 / 36)))
    least = found._replace(listener=-1.0, item=0.5)
    assert (least.of_mean, least.df) == pytest.approx((1.0, 36.0))


def test_an_interval_moves_and_stretches_with_the_answers():
    counts = incomplete(RNG)
    cells = Cells(counts * RNG.normal(0, 1, counts.shape), counts)
    found = estimate(cells)
    moved = estimate(Cells(3 * counts - 2 * cells.sums, counts))
    assert moved[:3] == pytest.approx((3 - 2 * found.mean, 3 - 2 * found.high, 3 - 2 * found.low))
    transposed = variances(Cells(cells.sums.T, counts.T))
    own = variances(cells)
    assert (own.listener, own.per_item) == pytest.approx((transposed.item, transposed.per_listener))
    assert estimate(cells) == found
    order = RNG.permutation(9)
    np.testing.assert_allclose(variances(Cells(cells.sums[order], counts[order])), own, rtol=1e-9)


def test_scale_is_of_the_squares():
    """Listeners' squares doubled: their mean square is, and the residual's loses as much in sum."""
    cells = crossed(RNG, 8, 9, 0.2, 0.5, residual=3.0)
    own, doubled = variances(cells), variances(cells._replace(scale=(2.0, 2.0, 2.0)))
    assert doubled[:3] == pytest.approx([2 * one for one in own[:3]])
    more = variances(cells._replace(scale=(2.0, 1.0, 1.0)))
    square = 9 * own.listener + own.residual  # the mean square of 7 degrees of freedom
    assert more.residual == pytest.approx(own.residual - 7 * square / 56)
    assert more.listener == pytest.approx((2 * square - more.residual) / 9)
    assert more.item == pytest.approx(own.item + (own.residual - more.residual) / 8)


def test_cells_are_those_that_were_answered():
    cells = table(np.array([4, 4, 7, 7]), np.array([1, 3, 3, 3]), np.array([1.0, 2.0, 3.0, 5.0]))
    assert cells.sums.tolist() == [[1, 2], [0, 8]] and cells.counts.tolist() == [[1, 1], [0, 2]]
    assert (cells.n, cells.mean) == (4, 2.75)


def test_ends_of_the_scale_one_listener_and_answers_that_are_all_alike():
    values = np.array([[5.0, 5.0, 4.0], [5.0, 3.0, 5.0], [5.0, 5.0, 5.0]])
    cells = Cells(values, np.ones((3, 3)))
    assert estimate(cells).high > 5 == estimate(cells, bounds=(1, 5)).high
    alone = estimate(Cells(values[:1], np.ones((1, 3))), bounds=(1, 5))
    assert alone.mean == pytest.approx(14 / 3) and np.isnan([alone.low, alone.high]).all()
    assert estimate(Cells(np.full((3, 3), 4.0), np.ones((3, 3))))[:3] == (4, 4, 4)


def test_of_few_listeners_the_interval_is_students():
    cells = crossed(RNG, 4, 12, 1.0, 0.5)
    own = variances(cells)
    reach = stats.t.ppf(0.975, own.df) * np.sqrt(own.of_mean)
    found = estimate(cells)
    assert found.high - found.mean == pytest.approx(reach)


@pytest.mark.parametrize("scenario", [(12, 12, 0.5, 0.5), (20, 10, 0.8, 0.0), (10, 20, 0.2, 0.6)])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_intervals_hold_the_truth_in_95_percent(scenario, share, monkeypatch):
    """200 tests, complete and with half of the cells: as many as 95% could give by chance."""
    monkeypatch.setattr(intervals, "N_DRAWS", 400)
    intervals._drawn.cache_clear()
    rng, held = np.random.default_rng(3), 0
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.95)
    for _ in range(200):
        cells = crossed(rng, *scenario)
        counts = cells.counts * (rng.random(cells.counts.shape) < share)
        found = estimate(Cells(cells.sums * counts, counts))
        held += found.low <= 0 <= found.high
    intervals._drawn.cache_clear()
    assert low <= held <= high, held


def test_draws_are_pairs_of_multinomials():
    listeners, items = intervals._drawn((5, 3), 0)
    assert set(listeners.sum(1)) == {5.0} and set(items.sum(1)) == {3.0}
    assert len(listeners) == len(items) == 2000
    assert (intervals._drawn((5, 3), 1)[0] != listeners).any()
    for drawn, size in ((listeners, 5), (items, 3)):
        assert drawn.mean(0) == pytest.approx(np.ones(size), abs=0.1)
        assert drawn.var(0) == pytest.approx(np.full(size, 1 - 1 / size), abs=0.1)
    pairs = itertools.product(range(5), range(3))
    assert all(abs(np.corrcoef(listeners[:, a], items[:, b])[0, 1]) < 0.1 for a, b in pairs)
