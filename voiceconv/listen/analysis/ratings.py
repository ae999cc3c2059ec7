"""Answers joined with the manifest: listener, system, item and rating in one table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from voiceconv.errors import InputError
from voiceconv.listen.answers import Answer
from voiceconv.listen.manifest import TRIAL, Test, Trial

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Ratings:
    """Columns (n,), one row for each rating or choice; names as numbers.

    value: a rating of `system`. ab: 1 if `other` was chosen, 0 if `system` was, which is first in
    the manifest; abx: 1 if the choice was right. For ratings `other` is `system`.
    """

    listeners: tuple[str, ...]
    items: tuple[str, ...]
    systems: tuple[str, ...]
    directions: tuple[str, ...]
    listener: Integers
    item: Integers
    direction: Integers
    system: Integers
    other: Integers
    value: Floats

    def __len__(self) -> int:
        return len(self.value)

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """The rows (n,) that are True."""
        columns = ("listener", "item", "direction", "system", "other", "value")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    def of(self, first: str, second: str) -> Self:
        """Choices between two systems."""
        pair = [self.systems.index(name) for name in (first, second)]
        return self.where((self.system == pair[0]) & (self.other == pair[1]))


def join(test: Test, answers: Iterable[Answer], kept: Iterable[str]) -> Ratings:
    """Answers of the listeners in `kept` to the trials that count: no training, no checks.

    Raises InputError for an answer to a trial that is not in the manifest, or with other stimuli.
    """
    systems, listeners = list(test.systems), sorted(set(kept))
    items = sorted({trial.item for trial in test.trials.values() if trial.kind == TRIAL})
    directions = sorted({trial.direction for trial in test.trials.values() if trial.kind == TRIAL})
    rows: list[tuple[int, int, int, int, int, float]] = []
    number = {name: place for place, name in enumerate(listeners)}
    for answer in answers:
        trial = trial_of(test, answer)
        if trial.kind != TRIAL or answer.listener not in number:
            continue
        where = (
            number[answer.listener],
            items.index(trial.item),
            directions.index(trial.direction),
        )
        for first, second, value in _values(test, trial, answer):
            rows.append((*where, systems.index(first), systems.index(second), value))
    columns = zip(*rows, strict=True) if rows else [()] * 6
    listener, item, direction, system, other, values = map(np.array, columns)
    return Ratings(
        listeners=tuple(listeners),
        items=tuple(items),
        systems=tuple(systems),
        directions=tuple(directions),
        listener=listener.astype(np.int64),
        item=item.astype(np.int64),
        direction=direction.astype(np.int64),
        system=system.astype(np.int64),
        other=other.astype(np.int64),
        value=values.astype(np.float64),
    )


def trial_of(test: Test, answer: Answer) -> Trial:
    """The trial of an answer. Raises InputError if answer and manifest do not agree."""
    try:
        trial = test.trials[answer.trial]
    except KeyError:
        raise InputError(
            f"listener {answer.listener} has answered trial {answer.trial!r}, which the manifest "
            "hasn't got; are the answers those of another test?"
        ) from None
    try:
        test.method.check(trial.shown, answer.values)
    except ValueError as error:
        raise InputError(
            f"listener {answer.listener}'s answer to trial {answer.trial!r} is none: {error}; "
            "are the answers those of another test?"
        ) from None
    return trial


def _values(test: Test, trial: Trial, answer: Answer) -> Sequence[tuple[str, str, float]]:
    """(system, other, value) of one answer."""
    system = {name: test.stimuli[name].system for name in trial.shown}
    if not test.method.is_choice:
        return [(system[name], system[name], float(answer.values[name])) for name in trial.shown]
    order = list(test.systems)
    first, second = sorted(trial.shown, key=lambda name: order.index(system[name]))
    chosen = second if answer.values[second] else first
    if trial.x is None:
        return [(system[first], system[second], float(chosen == second))]
    right = system[chosen] == test.stimuli[trial.x].system
    return [(system[first], system[second], float(right))]
