"""Analyses made by hand, or drawn: for tests of what is shown of them."""

import itertools
import math
import random
import statistics
from collections.abc import Sequence

from tiny_test import tiny_test

from voiceconv.listen.analysis import Analysis, Contrast, Estimate, Needed, Screened
from voiceconv.listen.comparisons import BINOMIAL, SHARE, SIGNED_RANK

NAN = math.nan
TESTS = {"ab": SHARE, "abx": BINOMIAL}


def drawn(method: str, systems: Sequence[str] = ("alpha", "beta"), n_listeners: int = 20) -> Analysis:
    """What an analysis of made-up listeners may look like: its figures are of the right shape."""
    rng = random.Random(0)
    test = tiny_test(method, systems=systems)
    judged = [n for n, s in test.systems.items() if s.role != "check"]
    if method in ("ab", "abx"):
        judged = list(systems)
    low, high = test.method.scale or (0, 1)
    span = high - low
    values, means = {}, {}
    for place, name in enumerate(judged):
        middle = low + span * (0.95 if name == "reference" else (0.35 + 0.5 * place / len(judged)))
        rows = []
        for _ in range(n_listeners):
            own = rng.gauss(0, 0.06 * span)
            rows.append([min(high, max(low, round(rng.gauss(middle + own, 0.14 * span)))) for _ in range(12)])
        values[name] = [float(v) for row in rows for v in row]
        means[name] = [statistics.fmean(row) for row in rows]

    def estimate(figures: Sequence[float]) -> Estimate:
        mean, half = statistics.fmean(figures), 2 * statistics.pstdev(figures) / math.sqrt(n_listeners)
        ends = (NAN, NAN) if n_listeners == 1 else (mean - half, mean + half)
        return Estimate(mean, *ends, 12 * n_listeners, n_listeners, 12)

    contrasts = []
    for n, (one, two) in enumerate(itertools.combinations(systems, 2)):
        difference = [b - a for a, b in zip(means[one], means[two])]
        if test.method.is_choice:
            difference = [min(1, max(0, 0.4 + 0.05 * (n % 7) + rng.gauss(0, 0.2))) for _ in range(n_listeners)]
        one_estimate = estimate(difference)
        p = 0.2 if one_estimate.low < (0.5 if test.method.is_choice else 0) < one_estimate.high else 0.003
        contrasts.append(Contrast(one, two, one_estimate, TESTS.get(method, SIGNED_RANK), p / 2, p, n_listeners, {}))
    if method == "ab":
        shown = {n: estimate([0.4 * (k - 1) + rng.gauss(0, 0.2) for _ in range(n_listeners)]) for k, n in enumerate(systems)}
    else:
        shown = {} if method == "abx" else {n: estimate(means[n]) for n in judged}
    return Analysis(
        test=test,
        screened=[Screened(f"{n:012x}", 24, True, []) for n in range(n_listeners)],
        systems=shown, directions={}, contrasts=contrasts, needed=[],
        values=values, listener_means={} if test.method.is_choice else means,
    )
