"""The analysis of a listening test, for its report. The entry point of this package.

persons.py joins the sessions of one person, ratings.py joins answers with the manifest,
screening.py excludes listeners, intervals.py computes means with intervals, comparisons.py compares
systems, planning.py computes the number of listeners.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from voiceconv.errors import InputError
from voiceconv.listen.analysis import comparisons, screening
from voiceconv.listen.analysis.comparisons import Contrast
from voiceconv.listen.analysis.intervals import FEWEST, Estimate, estimate, table, variances
from voiceconv.listen.analysis.persons import by_person
from voiceconv.listen.analysis.planning import Needed, at_share, needed
from voiceconv.listen.analysis.ratings import Ratings, join
from voiceconv.listen.analysis.screening import Screened
from voiceconv.listen.analysis.strengths import strengths
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import REFERENCE, SYSTEM, Test

__all__ = ["Analysis", "Contrast", "Estimate", "Needed", "Screened", "analyse"]

# Effect sizes for planning, if none is given: half a step of MOS is a large one.
WANTED = {"mos": 0.3, "similarity": 0.3, "mushra": 5.0, "ab": 0.1, "abx": 0.1}  # shares: off 1/2


@dataclass(frozen=True)
class Analysis:
    """All results of a report.

    Args:
        systems: mean rating of each system, reference and anchors included, in the manifest's
            order; ab: Bradley-Terry strengths (natural log odds with mean 0); abx: empty.
        directions: direction -> the same for its items; empty if there is only one direction.
        values: kept listeners' ratings by system (ab: 1 for a trial won, 0 for one lost).
        listener_means: each kept listener's mean by system, for box plots; ab, abx: empty.
        comments: (listener, trial, text), trial "" for the one on the whole test.
        notes: sentences that a reader of the results must know.
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


def analyse(
    test: Test,
    listeners: Sequence[Listener],
    answers: Sequence[Answer],
    *,
    wanted: float | None = None,
    screen: bool = True,
    seed: int = 0,
) -> Analysis:
    """All results of a test's answers; equal seeds give equal results.

    Args:
        wanted: the effect size for planning, on the scale, or as distance of a share from 1/2;
            None: that of `WANTED`.
        screen: exclude listeners who fail screening; False: only report them.

    Raises InputError if no answers count, if the answers are of another test, and for an impossible
    effect size.
    """
    listeners, answers, of_persons = by_person(listeners, answers)
    screened = screening.screen(test, listeners, answers, screen)
    kept = {one.listener for one in screened if one.kept}
    ratings = join(test, answers, kept)
    if not len(ratings):
        raise InputError(_nobody(screened))
    wanted = WANTED[test.method_name] if wanted is None else wanted
    low, high = test.method.scale or (0.5, 1)
    if not 0 < wanted < high - low:
        raise InputError(
            f"a wanted difference of {wanted:g} {_IMPOSSIBLE[test.method.is_choice]}; give one "
            f"above 0 and below {high - low:g}"
        )
    systems, notes = _systems(test, ratings, seed)
    contrasts = _contrasts(test, ratings, seed)
    directions, of_directions = _directions(test, ratings, seed)
    return Analysis(
        test=test,
        screened=screened,
        systems=systems,
        directions=directions,
        contrasts=contrasts,
        needed=list(_needed(test, ratings, contrasts, wanted)),
        values=_values(test, ratings),
        listener_means={} if test.method.is_choice else _listener_means(ratings),
        comments=list(_comments(listeners, answers)),
        notes=[*of_persons, *notes, *of_directions, *_notes(ratings)],
    )


def compared(test: Test) -> list[str]:
    """The systems under test; with a single system also the reference, if it was rated."""
    names = test.names(SYSTEM)
    rated = {test.stimuli[name].system for one in test.trials.values() for name in one.shown}
    references = [name for name in test.names(REFERENCE) if name in rated]
    return names + references if test.method.is_choice or len(names) < 2 else names


def _systems(test: Test, ratings: Ratings, seed: int) -> tuple[dict[str, Estimate], list[str]]:
    """Each system's mean or strength; sentences about unusual methods."""
    if test.method_name == "abx":
        return {}, []
    if test.method.is_choice:
        chosen = {*ratings.system.tolist(), *ratings.other.tolist()}
        names = [name for number, name in enumerate(ratings.systems) if number in chosen]
        found, is_separated = strengths(ratings, names, seed)
        return found, [_SEPARATED] if is_separated else []
    result = {}
    for number, name in enumerate(ratings.systems):
        own = ratings.where(ratings.system == number)
        if len(own):
            cells = table(own.listener, own.item, own.value)
            result[name] = estimate(cells, seed, test.method.scale)
    return result, []


def _directions(
    test: Test, ratings: Ratings, seed: int
) -> tuple[dict[str, dict[str, Estimate]], list[str]]:
    """The same for the items of each direction, if there are several."""
    if len(ratings.directions) < 2:
        return {}, []
    result: dict[str, dict[str, Estimate]] = {}
    notes: list[str] = []
    for number, name in enumerate(ratings.directions):
        own = ratings.where(ratings.direction == number)
        systems, said = _systems(test, own, seed) if len(own) else ({}, [])
        if systems:
            result[name] = systems
            notes += [f"{name}: {one}" for one in said]
    return result, notes


def _contrasts(test: Test, ratings: Ratings, seed: int) -> list[Contrast]:
    names = compared(test)
    if test.method.scale is None:
        is_abx = test.method_name == "abx"
        return comparisons.preferences(ratings, names, right=is_abx, seed=seed)
    return comparisons.contrasts(ratings, names, test.method.scale, seed)


def _needed(
    test: Test, ratings: Ratings, contrasts: Sequence[Contrast], wanted: float
) -> Iterator[Needed]:
    adjusted = None if test.method.is_choice else comparisons.adjust(ratings)
    for one in contrasts:
        if adjusted is None:
            own = ratings.of(one.first, one.second)
            parts = variances(table(own.listener, own.item, own.value))
            parts = at_share(parts, one.difference.mean, wanted)
        else:
            pair = [ratings.systems.index(name) for name in (one.first, one.second)]
            parts = variances(comparisons.difference(ratings, adjusted, *pair))
        one_sided = test.method_name == "abx"
        found = needed(one.first, one.second, parts, wanted, one_sided=one_sided)
        if found is not None:
            yield found


def _values(test: Test, ratings: Ratings) -> dict[str, list[float]]:
    """Ratings by system; of preferences 1 and 0 for each trial won and lost."""
    result = {}
    for number, name in enumerate(ratings.systems):
        values = ratings.value[ratings.system == number].tolist()
        if test.method_name == "ab":
            values = [1 - value for value in values]
            values += ratings.value[ratings.other == number].tolist()
        if values and test.method_name != "abx":
            result[name] = values
    return result


def _listener_means(ratings: Ratings) -> dict[str, list[float]]:
    result = {}
    for number, name in enumerate(ratings.systems):
        own = ratings.where(ratings.system == number)
        if len(own):
            sums = np.bincount(own.listener, own.value)
            counts = np.bincount(own.listener)
            result[name] = (sums[counts > 0] / counts[counts > 0]).tolist()
    return result


def _comments(
    listeners: Sequence[Listener], answers: Sequence[Answer]
) -> Iterator[tuple[str, str, str]]:
    yield from ((one.listener, one.trial, one.comment) for one in answers if one.comment)
    yield from ((one.id, "", one.comment) for one in listeners if one.comment)


def _notes(ratings: Ratings) -> Iterator[str]:
    n_listeners, n_items = (len(np.unique(part)) for part in (ratings.listener, ratings.item))
    if n_listeners == 1:
        yield "A single listener's answers: no interval or test says anything of other listeners."
    elif n_listeners < FEWEST:
        yield f"Answers of {n_listeners} listeners: intervals are Student's, without a bootstrap."
    if n_items == 1:
        yield "A single item: intervals and tests are for other listeners, on this item."
    elif n_items < FEWEST:
        yield f"{n_items} items: intervals are Student's, without a bootstrap."


def _nobody(screened: Sequence[Screened]) -> str:
    if not any(one.n_answers for one in screened):
        return (
            "nobody has answered a trial that counts yet; wait for listeners of voiceconv listen "
            "serve, or import their answers"
        )
    return (
        f"screening leaves none of {len(screened)} listeners; their grounds are in the report "
        "that voiceconv listen report --keep-all makes"
    )


_IMPOSSIBLE = {False: "is none on the scale", True: "is none of a share from 50%"}
_SEPARATED = (
    "A system, or a group of them, won or lost all comparisons with the others: half a choice "
    "either way was added to every pair, without which there are no strengths. They have no "
    "intervals, as they could be ever larger."
)
