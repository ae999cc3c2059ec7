"""Numbers of listeners against statsmodels' power, and against simulation."""

import numpy as np
import pytest
from scipy import stats

from voiceconv.listen.analysis.comparisons import clustered_p, signed_ranks
from voiceconv.listen.analysis.intervals import Cells, Variances, variances
from voiceconv.listen.analysis.planning import at_share, needed, power_of, scaled


def crossed(rng, n_listeners, n_items, spreads, mean=0.0):
    """A complete table of the model: spreads of listeners, items and residuals."""
    a, b, e = spreads
    values = mean + rng.normal(0, a, (n_listeners, 1)) + rng.normal(0, b, (1, n_items))
    values = values + rng.normal(0, e, (n_listeners, n_items))
    return Cells(values, np.ones_like(values))


def of_design(n_listeners, n_items, spreads):
    """The true variances of a complete table."""
    a, b, e = np.square(spreads)
    n = n_listeners * n_items
    return Variances(a, b, e, 1 / n_listeners, 1 / n_items, 1 / n, n_listeners, n_items, n)


@pytest.mark.parametrize("wanted", [0.2, -0.4, 1.0])
def test_of_listeners_alone_it_is_statsmodels_t_test_power(wanted):
    power = pytest.importorskip("statsmodels.stats.power").TTestPower()
    values = np.random.default_rng(2).normal(0, 1, (12, 1))
    cells = Cells(values, np.ones_like(values))
    effect = abs(wanted) / values.std(ddof=1)
    for n in (5, 12, 60):
        assert power_of(scaled(variances(cells), n, 1), wanted) == pytest.approx(
            power.power(effect, n, 0.05), abs=1e-7
        )
    expected = power.solve_power(effect, power=0.8, alpha=0.05)
    found = needed("a", "b", variances(cells), wanted)
    assert found.n_listeners == int(np.ceil(expected)) and found[:3] == ("a", "b", wanted)
    assert (found.n_items, found.now, found.power) == (None, 12, 0.8)


def test_the_variance_at_other_numbers():
    """Of parts 4, 2, 6 at 10 listeners and 5 items, at twice and four times as many."""
    found = scaled(of_design(10, 5, (2, np.sqrt(2), np.sqrt(6))), 20, 20)
    assert found.of_mean == pytest.approx(4 / 20 + 2 / 20 + 6 / 400)
    assert found == pytest.approx(of_design(20, 20, (2, np.sqrt(2), np.sqrt(6))))


SPREADS = (0.5, 0.25, 1.0)


@pytest.mark.parametrize("wanted", [0.3, 0.4])
def test_the_power_is_80_percent_at_that_number(wanted):
    """400 tests of as many listeners as the true variances ask for, with 20 items.

    The rank test's is a little less, of normal differences.
    """
    rng = np.random.default_rng(1)
    n = next(n for n in range(2, 999) if power_of(of_design(n, 20, SPREADS), wanted) >= 0.8)
    found = of_ranks = 0
    for _ in range(400):
        cells = crossed(rng, n, 20, SPREADS, wanted)
        found += clustered_p(cells) < 0.05
        ranks = signed_ranks(cells.sums.ravel()).reshape(cells.sums.shape)
        of_ranks += clustered_p(cells._replace(sums=ranks)) < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 400, 0.8)
    assert low <= found <= high, (n, found)
    assert found - 0.05 * 400 <= of_ranks <= high, (n, of_ranks)


def test_planned_from_a_test_of_that_size_the_number_is_about_right():
    """The number that 40 listeners' and 20 items' variances ask for, in the median of 60 tests."""
    rng = np.random.default_rng(8)
    n = next(n for n in range(2, 999) if power_of(of_design(n, 20, SPREADS), 0.3) >= 0.8)
    tables = [crossed(rng, 40, 20, SPREADS) for _ in range(60)]
    planned = [needed("a", "b", variances(cells), 0.3).n_listeners for cells in tables]
    middle = np.median([one or 999 for one in planned])
    assert middle == pytest.approx(n, rel=0.25)


def test_needed_is_the_first_number_that_is_enough():
    cells = crossed(np.random.default_rng(3), 15, 12, (0.5, 0.1, 1.0))
    own = variances(cells)
    found = needed("a", "b", own, 0.4)
    n = found.n_listeners
    assert power_of(scaled(own, n, 12), 0.4) >= 0.8 > power_of(scaled(own, n - 1, 12), 0.4)
    assert needed("a", "b", own, 0.8).n_listeners < n
    assert needed("a", "b", own, 0.4, power=0.95).n_listeners > n


def test_where_items_forbid_it_items_are_needed():
    """Items' variance 1 of 6: no number of listeners brings the error below 1 / sqrt(6)."""
    cells = crossed(np.random.default_rng(4), 60, 6, (0.1, 1.0, 0.5))
    own = variances(cells)
    found = needed("a", "b", own, 0.5)
    assert found.n_listeners is None and power_of(scaled(own, 10**6, 6), 0.5) < 0.8
    n = found.n_items
    assert power_of(scaled(own, 60, n), 0.5) >= 0.8 > power_of(scaled(own, 60, n - 1), 0.5)


def test_where_both_forbid_it_neither_is_enough():
    """Three listeners who differ by 1 are never enough, nor are three such items."""
    own = of_design(3, 3, (1.0, 1.0, 0.1))
    assert power_of(scaled(own, 10**5, 3), 0.1) < 0.8 and power_of(scaled(own, 3, 10**5), 0.1) < 0.8
    listener, item = np.indices((3, 3))
    values = 1.2 * (listener - 1) + 1.2 * (item - 1) + 0.01 * listener * item
    found = needed("a", "b", variances(Cells(values, np.ones((3, 3)))), 0.1)
    assert (found.n_listeners, found.n_items) == (None, None)


def test_without_variances_nothing_can_be_planned():
    for n_listeners in (1, 4):
        alike = Cells(np.ones((n_listeners, 5)), np.ones((n_listeners, 5)))
        assert needed("a", "b", variances(alike), 0.5) is None


@pytest.mark.parametrize("wanted", [0.2, 1.0])
def test_one_sided_it_is_statsmodels_one_sided_power(wanted):
    power = pytest.importorskip("statsmodels.stats.power").TTestPower()
    values = np.random.default_rng(2).normal(0, 1, (12, 1))
    found, effect = variances(Cells(values, np.ones_like(values))), wanted / values.std(ddof=1)
    for n in (5, 12, 60):
        assert power_of(scaled(found, n, 1), wanted, one_sided=True) == pytest.approx(
            power.power(effect, n, 0.05, alternative="larger"), abs=1e-7
        )
    expected = power.solve_power(effect, power=0.8, alpha=0.05, alternative="larger")
    planned = needed("a", "b", found, wanted, one_sided=True)
    assert planned.n_listeners == int(np.ceil(expected))


def test_variances_of_choices_are_taken_to_the_wanted_share():
    """Of 0.9 to 0.6: 0.24 / 0.09 times each; of 1, where there are none: independent choices'."""
    found = of_design(10, 5, (0.2, 0.1, 0.2))
    assert at_share(found, 0.9, 0.1)[:3] == pytest.approx(np.array([0.04, 0.01, 0.04]) * 8 / 3)
    assert at_share(found, 0.9, 0.1)[3:] == found[3:]
    assert at_share(found, 0.1, 0.1) == pytest.approx(at_share(found, 0.9, 0.1))
    for share in (0.0, 1.0):
        alike = variances(Cells(np.full((10, 5), share), np.ones((10, 5))))
        assert at_share(alike, share, 0.1)[:3] == pytest.approx((0, 0, 0.24))
        assert at_share(alike, share, 0.1)[3:] == pytest.approx(found[3:])


@pytest.mark.parametrize(
    ("share", "one_sided", "low", "high"),
    [(0.5, False, 19, 36), (0.9, False, 19, 36), (1.0, False, 20, 20), (0.9, True, 15, 27)],
)
def test_independent_choices_need_as_many_whatever_their_share(share, one_sided, low, high):
    """To find 60%: (1.96 + 0.84)^2 0.24 / 0.1^2 = 188 choices, 19 listeners to 10 items.

    One-sided it is (1.64 + 0.84)^2 24 = 148. Variances of 10 items and 20 listeners that are above
    0 by chance ask for more (32 and 23 in the median, at either share).
    """
    rng, planned = np.random.default_rng(9), []
    for _ in range(60):
        values = (rng.random((20, 10)) < share).astype(float)
        cells = Cells(values, np.ones_like(values))
        found = at_share(variances(cells), cells.mean, 0.1)
        planned.append(needed("a", "b", found, 0.1, one_sided=one_sided).n_listeners or 999)
    assert low <= np.median(planned) <= high
