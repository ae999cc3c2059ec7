"""The number of listeners needed to detect a difference, from the variances of a test.

The variance of a mean over L listeners and I items is the sum of the listener variance / L, the
item variance / I and the residual variance / (L I). More listeners make the first and the last
smaller, not the second: if the second alone is too large, the answer is a number of items.

The power is that of the two-sided t test of the mean (non-central t; of one item the one-sample t
test, of which statsmodels' TTestPower has the same power), with the degrees of freedom of
`Variances.df`. Rank tests of normal differences need 5% more (Hodges and Lehmann 1956, Annals of
Mathematical Statistics 27). ABX, whose test is one-sided, is planned by the one-sided t test of the
same 5%. The variance of choices depends on their share, so it is first converted to the wanted
share (`at_share`). Variances from few listeners or items are uncertain, and so is the result.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import nct
from scipy.stats import t as student

from voiceconv.listen.analysis.intervals import Variances

POWER = 0.8
ALPHA = 0.05
MOST = 100_000  # listeners or items: more are impossible in practice
_TINY = 1e-12


class Needed(NamedTuple):
    """Total number of listeners to detect the difference `wanted` with `power`.

    n_listeners: None if no number is enough with these items; then n_items is the number of items
    that is enough with the present listeners (None if there is no such number).
    """

    first: str
    second: str
    wanted: float
    n_listeners: int | None
    n_items: int | None
    now: int
    power: float = POWER


def needed(
    first: str,
    second: str,
    found: Variances,
    wanted: float,
    power: float = POWER,
    one_sided: bool = False,
) -> Needed | None:
    """Plan with the variances of differences to detect a mean of `wanted`; None without them."""
    if found.n_listeners < 2 or found.of_mean < _TINY:
        return None
    now, items = found.n_listeners, found.n_items

    def enough(n_listeners: int, n_items: int) -> bool:
        return power_of(scaled(found, n_listeners, n_items), wanted, one_sided) >= power

    listeners = _fewest(lambda n: enough(n, items))
    more_items = _fewest(lambda n: enough(now, n)) if listeners is None else None
    return Needed(first, second, wanted, listeners, more_items, now, power)


def at_share(found: Variances, share: float, wanted: float) -> Variances:
    """Variances of choices between two, at the `share` observed -> at 1/2 + `wanted`.

    A choice with share s has the variance s (1 - s); the parts of listeners, items and residuals
    are assumed constant. If all choices are equal, these parts are unknown, and choices are assumed
    to be independent.
    """
    there, here = (0.5 + wanted) * (0.5 - wanted), share * (1 - share)
    if here < _TINY:
        return found._replace(listener=0.0, item=0.0, residual=there)
    ratio = there / here
    return found._replace(
        listener=ratio * found.listener, item=ratio * found.item, residual=ratio * found.residual
    )


def scaled(found: Variances, n_listeners: int, n_items: int) -> Variances:
    """The same variances, none negative, for a test of the same design with other numbers."""
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


def power_of(found: Variances, wanted: float, one_sided: bool = False) -> float:
    """The probability that |t| exceeds its critical value if the mean is `wanted`.

    one_sided: the probability for t, with a mean above 0.
    """
    critical = student.ppf(1 - ALPHA / (1 if one_sided else 2), found.df)
    centre = abs(wanted) / np.sqrt(found.of_mean)
    power = nct.sf(critical, found.df, centre)
    if not one_sided:
        power += nct.cdf(-critical, found.df, centre)
    return float(power) if np.isfinite(power) else float(centre > critical)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest sufficient number from 2 on, or None if MOST is not enough."""
    if not enough(MOST):
        return None
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
