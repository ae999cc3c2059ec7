"""What the analysis of listening tests finds where the truth is known, by simulated listeners.

    python benchmarks/listen_simulation.py [--methods mos ab] [--simulations 1000] [--sizes 20x20]

Ratings are the rounded, cut off sum of a system's mean and normal effects of listener, item,
listener x system, item x system, and a residual; choices compare such sums of two systems. Truth is
the expectation over all listeners and items that the effects' distributions could give. `split`:
each listener gets each item in one condition (a Latin square); `full`: in all of them. The columns:

- mean, difference (ab, abx: share; ab: strength for mean): % of 95% intervals that hold the truth
- p: % of tests at 5% that find a difference where there is none for all listeners and items
- these items, these listeners: the same of the Wilcoxon tests over listeners, and over items
  (preferences: of the exact binomial test): right for what they say, which is less

Of 1,000 simulations a percentage has a standard deviation of 0.7 (at 95 and at 5). Rows of one size
are of the same random numbers, so that they are off together.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

sys.path.insert(0, str(Path(__file__).parents[1]))

from voiceconv.listen.analysis import comparisons, intervals
from voiceconv.listen.analysis.comparisons import ITEMS, LISTENERS
from voiceconv.listen.analysis.intervals import estimate, table
from voiceconv.listen.analysis.ratings import Ratings
from voiceconv.listen.analysis.strengths import fit, strengths
from voiceconv.listen.methods import METHODS

Floats = NDArray[np.float64]
LEVEL = 0.05
SIZES = [f"{listeners}x{items}" for listeners in (10, 20, 40) for items in (10, 20, 40)]
FEW_SIZES = ["10x10", "20x20", "40x10"]  # of all spreads but the first, and of other methods
SPREADS = {  # standard deviations: listener, item, listener x system, item x system, residual
    "typical": (0.5, 0.3, 0.25, 0.25, 0.7),
    "agreed": (0.5, 0.3, 0.0, 0.0, 0.7),
    "items": (0.4, 0.4, 0.1, 0.4, 0.6),
    "listeners": (0.6, 0.2, 0.4, 0.1, 0.6),
}
CHOICE_SPREADS = {
    "typical": (0.0, 0.0, 0.3, 0.3, 0.7),
    "agreed": (0.0, 0.0, 0.0, 0.0, 0.7),
    "items": (0.0, 0.0, 0.1, 0.5, 0.7),
    "listeners": (0.0, 0.0, 0.5, 0.1, 0.7),
}
MEANS = {  # of systems, on the scale; of a null the second is as good as the first
    "mos": (3.0, 3.4, 3.8, 4.7),
    "ab": (0.0, 0.3, 0.6),
    "mushra": (45.0, 53.0, 65.0, 110.0, 20.0),
    "abx": (0.0, 0.5),
    "similarity": (2.2, 2.6, 3.0, 3.8),
}
UNIT = {"mos": 1.0, "similarity": 0.8, "mushra": 20.0, "ab": 1.0, "abx": 1.0}  # of the spreads


@dataclass(frozen=True)
class Scenario:
    """One row of the table."""

    method: str
    design: str
    n_listeners: int
    n_items: int
    pattern: str
    is_null: bool = False

    @property
    def spreads(self) -> tuple[float, ...]:
        """Standard deviations in units of the scale."""
        table = CHOICE_SPREADS if METHODS[self.method].is_choice else SPREADS
        return tuple(UNIT[self.method] * spread for spread in table[self.pattern])

    @property
    def means(self) -> Floats:
        """What systems are worth on average."""
        means = list(MEANS[self.method])
        if self.is_null:
            means[1] = means[0]
        return np.array(means)

    def worth(self, rng: np.random.Generator) -> Floats:
        """(L, I, S): what each listener thinks of each item by each system, less the residual."""
        a, b, c, d, _ = self.spreads
        L, I, S = self.n_listeners, self.n_items, len(self.means)  # noqa: E741
        effects = rng.normal(0, a, (L, 1, 1)) + rng.normal(0, b, (1, I, 1))
        effects = effects + rng.normal(0, c, (L, 1, S)) + rng.normal(0, d, (1, I, S))
        result: Floats = self.means + effects
        return result

    def assigned(self, n_conditions: int) -> NDArray[np.bool_]:
        """(L, I, C): whether a listener gets an item in a condition."""
        shape = (self.n_listeners, self.n_items, n_conditions)
        if self.design == "full":
            return np.ones(shape, bool)
        listener, item, condition = np.ogrid[: shape[0], : shape[1], : shape[2]]
        return (listener + item) % n_conditions == condition


def rated(scenario: Scenario, rng: np.random.Generator) -> Ratings:
    """One test's ratings."""
    low, high = METHODS[scenario.method].scale or (0, 1)
    worth = scenario.worth(rng)
    worth += rng.normal(0, scenario.spreads[4], worth.shape)
    chosen = scenario.assigned(worth.shape[2])
    values = np.clip(np.rint(worth), low, high)[chosen]
    listener, item, system = np.nonzero(chosen)
    return _ratings(worth.shape, listener, item, system, system, values)


def chosen(scenario: Scenario, rng: np.random.Generator) -> Ratings:
    """One test's choices; those of ABX are right by chance, or where the difference is heard."""
    worth = scenario.worth(rng)
    first, second = np.triu_indices(worth.shape[2], 1)
    assigned = scenario.assigned(len(first))
    heard = (worth[..., second] - worth[..., first]) / scenario.spreads[4] / np.sqrt(2)
    probability = norm.cdf(heard)
    if scenario.method == "abx":
        probability = (1 + np.clip(2 * probability - 1, 0, 1)) / 2
        probability = np.full_like(probability, 0.5) if scenario.is_null else probability
    values = (rng.random(probability.shape) < probability)[assigned]
    listener, item, pair = np.nonzero(assigned)
    return _ratings(worth.shape, listener, item, first[pair], second[pair], values)


def _ratings(shape: tuple[int, ...], listener, item, system, other, values) -> Ratings:  # type: ignore[no-untyped-def]
    names = [tuple(str(number) for number in range(size)) for size in shape]
    nowhere = np.zeros(len(values), np.int64)
    return Ratings(*names, ("",), listener, item, nowhere, system, other, values.astype(np.float64))


def truth(scenario: Scenario) -> tuple[Floats, Floats]:
    """Systems' means or strengths (S,), and shares [first, second] of choices (S, S)."""
    spreads = np.array(scenario.spreads)
    if not METHODS[scenario.method].is_choice:
        low, high = METHODS[scenario.method].scale or (0, 1)
        steps = np.arange(low, high) + 0.5
        sigma = np.sqrt((spreads**2).sum())
        means = low + norm.sf((steps[:, None] - scenario.means) / sigma).sum(0)
        return means, np.zeros((0, 0))
    difference = scenario.means[None, :] - scenario.means[:, None]
    sigma = np.sqrt(2 * (spreads**2).sum())
    if scenario.method == "abx":  # integrated over the effects of listener and item
        effects = np.sqrt(2 * (spreads[:4] ** 2).sum())
        points = np.linspace(-8, 8, 4001)
        weights = norm.pdf(points)
        heard = norm.cdf((difference[..., None] + effects * points) / spreads[4] / np.sqrt(2))
        right = (1 + np.clip(2 * heard - 1, 0, 1)) / 2
        return np.zeros(0), right @ (weights / weights.sum())
    shares = norm.cdf(difference / sigma)
    return fit(shares * (1 - np.eye(len(shares)))), shares


def intervals_hold(scenario: Scenario, rng: np.random.Generator) -> dict[str, bool]:
    """Of one simulated test: whether the intervals hold the truth."""
    means, shares = truth(scenario)
    if METHODS[scenario.method].is_choice:
        choices = chosen(scenario, rng)
        is_abx = scenario.method == "abx"
        first = comparisons.preferences(choices, ["0", "1"], right=is_abx)[0]
        found = {"difference": _holds(first.difference, shares[0, 1])}
        if not is_abx:
            strength, _ = strengths(choices, choices.systems)
            found["mean"] = _holds(strength["0"], means[0])
        return found
    ratings = rated(scenario, rng)
    own = ratings.where(ratings.system == 0)
    mean = estimate(table(own.listener, own.item, own.value), 0, METHODS[scenario.method].scale)
    cells = comparisons.difference(ratings, comparisons.adjust(ratings), 0, 1)
    return {
        "mean": _holds(mean, means[0]),
        "difference": _holds(estimate(cells), means[1] - means[0]),
    }


def _holds(found: comparisons.Estimate, value: float) -> bool:
    return bool(found.low <= value <= found.high)


def alarms(scenario: Scenario, rng: np.random.Generator) -> dict[str, bool]:
    """Of one simulated test without a difference: whether p are below 5%."""
    if METHODS[scenario.method].is_choice:
        choices = chosen(scenario, rng)
        own = choices.of("0", "1")
        n, k = len(own), round(own.value.sum())
        if scenario.method == "abx":
            return {"p": binomtest(k, n, alternative="greater").pvalue < LEVEL}
        p = comparisons.preference_p(table(own.listener, own.item, own.value))
        return {"p": p < LEVEL, ITEMS: binomtest(k, n).pvalue < LEVEL}
    ratings = rated(scenario, rng)
    adjusted = comparisons.adjust(ratings)
    _, _, ranks = comparisons.ranked(ratings, adjusted, 0, 1)
    over = {ITEMS: ratings.listener, LISTENERS: ratings.item}
    found = {name: comparisons.wilcoxon(ratings, adjusted, 0, 1, of) for name, of in over.items()}
    return {"p": comparisons.clustered_p(ranks) < LEVEL} | {
        name: p < LEVEL for name, p in found.items()
    }


def measured(scenario: Scenario, n: int, seed: int) -> Mapping[str, float]:
    """Percentages over n simulations each."""
    result: dict[str, list[bool]] = {}
    for is_null, one in ((False, intervals_hold), (True, alarms)):
        rng = np.random.default_rng([seed, is_null])
        for _ in range(n):
            for name, value in one(replace(scenario, is_null=is_null), rng).items():
                result.setdefault(name, []).append(value)
    return {name: 100 * float(np.mean(values)) for name, values in result.items()}


def scenarios(methods: list[str], patterns: list[str], sizes: list[str]) -> Iterator[Scenario]:
    """The rows of the table; without `sizes` a choice of them."""
    for method in methods:
        alone = METHODS[method].together or len(MEANS[method]) == 2  # one condition: no squares
        for design in ("full",) if alone else ("split", "full"):
            for pattern in patterns:
                for size in sizes or _sizes(method, pattern):
                    n_listeners, n_items = map(int, size.split("x"))
                    yield Scenario(method, design, n_listeners, n_items, pattern)


def _sizes(method: str, pattern: str) -> list[str]:
    return SIZES if pattern == "typical" and method in ("mos", "ab") else FEW_SIZES


def main() -> None:
    """Simulate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(MEANS))
    parser.add_argument("--patterns", nargs="+", choices=SPREADS, default=list(SPREADS))
    parser.add_argument("--sizes", nargs="+", default=[], help="listeners x items, as 10x20")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=1000, help="half of what a report takes")
    options = parser.parse_args()
    intervals.N_DRAWS = options.draws
    columns = ["mean", "difference", "p", ITEMS, LISTENERS]
    header = "method design listeners items effects mean difference p".split()
    print("| " + " | ".join([*header, "these items", "these listeners", "s"]) + " |")
    print("|" + " --- |" * 11)
    for one in scenarios(options.methods, options.patterns, options.sizes):
        start = time.perf_counter()
        found = measured(one, options.simulations, options.seed)
        shown = [f"{found[name]:.1f}" if name in found else "" for name in columns]
        row = [one.method, one.design, one.n_listeners, one.n_items, one.pattern, *shown]
        seconds = f"{time.perf_counter() - start:.0f}"
        print("| " + " | ".join(map(str, [*row, seconds])) + " |", flush=True)


if __name__ == "__main__":
    main()
