"""The answers of a listening test, analysed: what a report shows. The front of the analysis.

ratings.py joins answers with the manifest, screening.py says whose count, intervals.py gives means
their intervals, comparisons.py compares systems, planning.py says how many listeners are missing.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from voiceconv.listen.manifest import Test


class Estimate(NamedTuple):
    """A figure with its 95% interval; NaN for both ends where there is none (one listener)."""

    mean: float
    low: float
    high: float
    n: int  # ratings, choices
    n_listeners: int
    n_items: int


class Screened(NamedTuple):
    """What became of a listener. `reasons` of one who was kept are remarks, not grounds."""

    listener: str
    n_answers: int  # to trials that count, without training and checks
    kept: bool
    reasons: list[str]


class Contrast(NamedTuple):
    """Two systems compared.

    difference: ratings: second less first; ab: the share that prefers second; abx: the share
    correct. p is the headline's, of `test`; p_holm is corrected over all contrasts of the test.
    beside: p of narrower views, by their names ("these items only", "binomial, ...").
    """

    first: str
    second: str
    difference: Estimate
    test: str
    p: float
    p_holm: float
    n_pairs: int
    beside: dict[str, float]


class Needed(NamedTuple):
    """Listeners in all (not: further ones) for `power` to find a difference as `wanted`.

    n_listeners: None where no number of listeners is enough with these items; n_items is then how
    many items would be with as many listeners as there are now (None, too, where that isn't so).
    """

    first: str
    second: str
    wanted: float
    n_listeners: int | None
    n_items: int | None
    now: int
    power: float = 0.8


@dataclass(frozen=True)
class Analysis:
    """All figures of a report.

    Args:
        systems: mean of each system's ratings, reference and anchors, too, in the manifest's order;
            ab: Bradley-Terry strengths, natural logarithms of odds, whose mean is 0; abx: empty.
        directions: direction -> the same of its items; empty where there is but one direction.
        values: kept listeners' ratings by system (ab: 1 for a trial won, 0 for one lost).
        listener_means: each kept listener's mean by system, the points of a box plot; ab, abx: empty.
        comments: (listener, trial, text), trial "" for the one on the whole test.
        notes: sentences that a reader of the figures must know.
    """

    test: Test
    screened: list[Screened]
    systems: dict[str, Estimate]
    directions: dict[str, dict[str, Estimate]]
    contrasts: list[Contrast]
    needed: list[Needed]
    values: dict[str, list[float]]
    listener_means: dict[str, list[float]] = field(default_factory=dict)
    comments: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def method(self) -> str:
        """The method's name."""
        return self.test.method_name

    @property
    def n_kept(self) -> int:
        """Listeners whose answers count."""
        return sum(one.kept for one in self.screened)
