"""How many listeners a wanted difference needs, from the variances that a test has shown.

The variance of a mean over L listeners and I items is that of listeners / L, that of items / I and
that of the residual / (L I). More listeners make the first and the last smaller, not the second:
where that alone is too much, the answer is a number of items.

The power is that of the two-sided t test of the mean (non-central t; of one item the one-sample t
test, of which statsmodels' TTestPower has the same power), with the degrees of freedom of
`Variances.df`. Rank tests of normal differences need 5% more (Hodges and Lehmann 1956, Annals of
Mathematical Statistics 27). Variances from few listeners or items are uncertain, and so is this.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import nct
from scipy.stats import t as student

from voiceconv.listen.analysis.intervals import Cells, Variances, variances

POWER = 0.8
ALPHA = 0.05
MOST = 100_000  # listeners or items: more are as good as never
_TINY = 1e-12


class Needed(NamedTuple):
    """Listeners in all (not: further ones) for `power` to find a difference as `wanted`.

    n_listeners: None where no number of listeners is enough with these items; n_items is then how
    many items would be with as many listeners as there are now (None where that isn't so, too).
    """

    first: str
    second: str
    wanted: float
    n_listeners: int | None
    n_items: int | None
    now: int
    power: float = POWER


def needed(
    first: str, second: str, cells: Cells, wanted: float, power: float = POWER
) -> Needed | None:
    """Of a table of differences, to find a mean of `wanted`; None without variances."""
    found = variances(cells)
    if found.n_listeners < 2 or found.of_mean < _TINY:
        return None
    now, items = found.n_listeners, found.n_items
    listeners = _fewest(lambda n: power_of(scaled(found, n, items), wanted) >= power)
    more_items = None
    if listeners is None:
        more_items = _fewest(lambda n: power_of(scaled(found, now, n), wanted) >= power)
    return Needed(first, second, wanted, listeners, more_items, now, power)


def scaled(found: Variances, n_listeners: int, n_items: int) -> Variances:
    """The same variances, none of them negative, in a test of the same design, other numbers."""
    of_listeners, of_items = n_listeners / found.n_listeners, n_items / found.n_items
    return found._replace(
        listener=max(found.listener, 0.0),
        item=max(found.item, 0.0),
        per_listener=found.per_listener / of_listeners,
        per_item=found.per_item / of_items,
        per_answer=found.per_answer / of_listeners / of_items,
        n_listeners=n_listeners,
        n_items=n_items,
        n_cells=round(found.n_cells * of_listeners * of_items),
    )


def power_of(found: Variances, wanted: float) -> float:
    """The probability that |t| exceeds its two-sided critical value where the mean is `wanted`."""
    critical = student.ppf(1 - ALPHA / 2, found.df)
    centre = abs(wanted) / np.sqrt(found.of_mean)
    power = nct.sf(critical, found.df, centre) + nct.cdf(-critical, found.df, centre)
    return float(power) if np.isfinite(power) else float(centre > critical)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest number from 2 on that is enough, or None where MOST isn't."""
    if not enough(MOST):
        return None
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
