"""Analyses made by hand, for tests of what is shown of them."""

import math
from collections.abc import Sequence

from tiny_test import tiny_test

from voiceconv.listen.analysis.analyse import Analysis, Contrast, Estimate, Screened
from voiceconv.listen.analysis.comparisons import BINOMIAL, PREFERENCE, SIGNED_RANK
from voiceconv.listen.manifest import Test

NAN = math.nan
TESTS = {"ab": PREFERENCE, "abx": BINOMIAL}


def estimate(
    mean: float, low: float = NAN, high: float = NAN, n_listeners: int = 20, n_items: int = 12
) -> Estimate:
    return Estimate(mean, low, high, n_listeners * n_items, n_listeners, n_items)


def contrast(
    method: str, first: str, second: str, difference: Estimate, p: float, test: str | None = None
) -> Contrast:
    """`p` is after Holm's correction; of the single test it was half as much."""
    name = test or TESTS.get(method, SIGNED_RANK)
    return Contrast(first, second, difference, name, p / 2, p, 240, {"binomial": 0.25})


def kept(n: int, *out: str) -> list[Screened]:
    """So many listeners who count, and one for each reason who doesn't."""
    left_out = [Screened(f"bad{number:09x}", 24, False, [why]) for number, why in enumerate(out)]
    return [Screened(f"good{number:08x}", 24, True, []) for number in range(n)] + left_out


def hand_made(
    method: str,
    means: dict[str, Estimate],
    contrasts: Sequence[Contrast],
    screened: list[Screened] | None = None,
    test: Test | None = None,
) -> Analysis:
    return Analysis(
        test=test or tiny_test(method),
        screened=kept(20) if screened is None else screened,
        systems=means,
        directions={},
        contrasts=list(contrasts),
        needed=[],
        values={},
    )
