"""Decide which listeners count.

- **Attention checks** (ITU-T P.808 asks for trapping questions): at least `PASSED` of the
  answered checks must be right; with up to four checks, all must be. This share is ours.
- **MUSHRA** has the hidden reference in place of checks. ITU-R BS.1534-3, 4.1.2: a listener who
rates
  it below 90 for more than 15% of the items is excluded, and so is one who rates the mid-range
  anchor above 90 for more than 15% of them. Items where more than 25% of all assessors rate the
  anchor above 90 do not count: there the anchor is the cause.
- **Listeners who stopped early** and **listeners who always gave the same answer** are kept, with a
  remark. A listener without an answer that counts is not kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from voiceconv.listen.analysis.ratings import trial_of
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import ATTENTION, REFERENCE, TRIAL, Test, Trial

PASSED = 0.8  # of the checks
HIGH = 90  # on the MUSHRA scale: limit for reference (not below) and anchor (not above)
MOST_MISJUDGED = 0.15  # of the items
DOUBTFUL = 0.25  # share of the assessors: above it, the anchor is the cause
MID_ANCHOR = "anchor70"  # the 7 kHz low-pass of `voiceconv listen build`
FEWEST_ALIKE = 5  # a remark is made if at least so many answers are all equal


class Screened(NamedTuple):
    """The decision about a listener. `reasons` of a kept listener are remarks."""

    listener: str
    n_answers: int  # answers to trials that count, without training and checks
    kept: bool
    reasons: list[str]


def screen(
    test: Test, listeners: Iterable[Listener], answers: Iterable[Answer], exclude: bool = True
) -> list[Screened]:
    """Decide about every listener, in order; without `exclude` all are kept, with remarks."""
    given: dict[str, list[tuple[Trial, Answer]]] = defaultdict(list)
    for answer in answers:
        given[answer.listener].append((trial_of(test, answer), answer))
    doubtful = _doubtful_items(test, given)
    found = []
    for listener in listeners:
        own = given[listener.id]
        counted = [(trial, answer) for trial, answer in own if trial.kind == TRIAL]
        grounds = [*_failed_checks(own), *_misjudged(test, counted, doubtful)]
        remarks = _remarks(test, listener, counted)
        kept = bool(counted) and not (exclude and grounds)
        found.append(Screened(listener.id, len(counted), kept, grounds + remarks))
    return found


def _failed_checks(own: Sequence[tuple[Trial, Answer]]) -> list[str]:
    checks = [(trial, answer) for trial, answer in own if trial.kind == ATTENTION]
    passed = sum(_is_expected(trial, answer.values) for trial, answer in checks)
    if passed >= PASSED * len(checks):
        return []
    return [f"{len(checks) - passed} of {len(checks)} attention checks failed"]


def _is_expected(trial: Trial, values: Mapping[str, float]) -> bool:
    return all(low <= values[name] <= high for name, (low, high) in trial.expected.items())


def _misjudged(
    test: Test, counted: Sequence[tuple[Trial, Answer]], doubtful: frozenset[str]
) -> list[str]:
    """BS.1534-3, 4.1.2, for one listener."""
    if test.method_name != "mushra" or not counted:
        return []
    grounds = []
    reference = test.names(REFERENCE)
    low = sum(min(_of(test, pair, reference), default=HIGH) < HIGH for pair in counted)
    high = sum(
        max(_of(test, pair, [MID_ANCHOR]), default=HIGH) > HIGH
        for pair in counted
        if pair[0].item not in doubtful
    )
    for count, what in [
        (low, f"hidden reference below {HIGH}"),
        (high, f"mid-range anchor above {HIGH}"),
    ]:
        if count > MOST_MISJUDGED * len(counted):
            grounds.append(f"{what} in {count} of {len(counted)} trials")
    return grounds


def _doubtful_items(
    test: Test, given: Mapping[str, Sequence[tuple[Trial, Answer]]]
) -> frozenset[str]:
    """Items whose mid-range anchor more than 25% of the assessors rate above 90."""
    if test.method_name != "mushra":
        return frozenset()
    high: dict[str, list[bool]] = defaultdict(list)
    for pair in (pair for own in given.values() for pair in own if pair[0].kind == TRIAL):
        high[pair[0].item].append(max(_of(test, pair, [MID_ANCHOR]), default=HIGH) > HIGH)
    return frozenset(item for item, each in high.items() if sum(each) > DOUBTFUL * len(each))


def _of(test: Test, pair: tuple[Trial, Answer], systems: Sequence[str]) -> list[float]:
    """The ratings of some systems' stimuli in a trial."""
    trial, answer = pair
    return [answer.values[name] for name in trial.shown if test.stimuli[name].system in systems]


def _remarks(test: Test, listener: Listener, counted: Sequence[tuple[Trial, Answer]]) -> list[str]:
    n_asked = sum(test.trials[turn.trial].kind == TRIAL for turn in test.lists[listener.list])
    if not counted:
        return ["no trial answered"]
    remarks = []
    if len(counted) < n_asked:
        remarks.append(f"stopped after {len(counted)} of {n_asked} trials")
    if len(counted) >= FEWEST_ALIKE:
        remarks += _alike(test, listener, [answer for _, answer in counted])
    return remarks


def _alike(test: Test, listener: Listener, answers: Sequence[Answer]) -> list[str]:
    """A remark if all answers are the same number, or the same position of two on the page."""
    if not test.method.is_choice:
        values = {value for answer in answers for value in answer.values.values()}
        return [f"the same answer, {values.pop():g}, throughout"] if len(values) == 1 else []
    turns = {turn.trial: turn.order for turn in test.lists[listener.list]}
    places = {
        turns[answer.trial].index(max(answer.values, key=lambda name: answer.values[name]))
        for answer in answers
        if answer.trial in turns
    }
    return [f"the {('first', 'second')[places.pop()]} throughout"] if len(places) == 1 else []
