"""A built listening test: `TEST/manifest.json`, the key to the anonymous page.

The page gets `public(test)`: ids that are keyed hashes, in hash order. Only the manifest has the
system and the sentence of a stimulus, and the expected answers of a check.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from voiceconv.errors import InputError
from voiceconv.files import below, read_text, replace_text
from voiceconv.listen.completion import OWN_CODES, Completion
from voiceconv.listen.methods import METHODS, Method

FORMAT = 1
FILE = "manifest.json"
PAGE = "page"  # the served folder
SYSTEM, REFERENCE, ANCHOR, CHECK = "system", "reference", "anchor", "check"  # roles
TRIAL, TRAINING, ATTENTION = "trial", "training", "check"  # kinds


@dataclass(frozen=True)
class System:
    """The source of stimuli: a system under test, the reference, an anchor, or an attention check.

    made: its folders, and the conversion.json that `voiceconv convert` wrote there.
    """

    name: str
    role: str
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stimulus:
    """One file of the page, `stimuli/<id>.wav`.

    loudness: LUFS of the written file. peak: its true peak in dBFS. gain_db: total gain on
    `source`, whose file has the digest sha256. start: start of the stimulus in the source, in
    seconds. offset: the mean of the source, of full scale, which was subtracted.
    """

    id: str
    system: str
    item: str
    seconds: float
    loudness: float
    peak: float
    gain_db: float
    source: str
    sha256: str
    start: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True)
class Trial:
    """One question. `item` is the sentence, "direction/stem" or "stem".

    Args:
        shown: the stimuli to rate, in the order of the systems; a turn has the order for a
            listener.
        reference: open reference beside them.
        x: for ABX: a copy of one of `shown`, with the same system.
        expected: for a check: stimulus -> lowest and highest accepted value.
    """

    id: str
    kind: str
    item: str
    direction: str
    shown: tuple[str, ...]
    reference: str | None = None
    x: str | None = None
    expected: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def sounds(self) -> set[str]:
        """All stimuli of the trial."""
        return {*self.shown, *filter(None, [self.reference, self.x])}


@dataclass(frozen=True)
class Turn:
    """A trial for one listener: its stimuli in the order of the page."""

    trial: str
    order: tuple[str, ...]


@dataclass(frozen=True)
class Test:
    """A listening test. `lists`: one sequence of turns per listener; the least-used is next."""

    __test__ = False  # pytest: this is no test class

    id: str
    key: str  # key of the hashes for ids
    method_name: str
    title: str
    seed: int
    sample_rate: int
    loudness: float  # LUFS of every stimulus
    level: str  # the stimulus for setting the volume
    systems: Mapping[str, System]
    stimuli: Mapping[str, Stimulus]
    trials: Mapping[str, Trial]
    lists: tuple[tuple[Turn, ...], ...]
    question: str | None = None  # in place of the method's question
    completion: Completion = OWN_CODES
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """The question."""
        return METHODS[self.method_name]

    def names(self, role: str) -> list[str]:
        """Names of the systems of a role, in the given order."""
        return [system.name for system in self.systems.values() if system.role == role]

    def system_of(self, stimulus: str) -> System:
        """The source of a stimulus."""
        return self.systems[self.stimuli[stimulus].system]

    def turn(self, list_number: int, trial: str) -> Turn | None:
        """The turn of a trial in a list; None if it is not in it."""
        return next((turn for turn in self.lists[list_number] if turn.trial == trial), None)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for other data."""
        known = dict(content)
        del known["format"]
        known["method_name"] = METHODS[known.pop("method")].name
        known["systems"] = {name: System(**one) for name, one in known["systems"].items()}
        known["stimuli"] = {name: Stimulus(**one) for name, one in known["stimuli"].items()}
        known["trials"] = {name: _trial(**one) for name, one in known["trials"].items()}
        known["lists"] = tuple(
            tuple(Turn(trial, tuple(order)) for trial, order in turns) for turns in known["lists"]
        )
        known["notes"] = tuple(known["notes"])
        known["completion"] = Completion(**known.get("completion", {}))
        test = cls(**known)
        _check(test)
        return test

    def to_json(self) -> dict[str, Any]:
        """The whole test as JSON data."""
        content = asdict(self)
        content["lists"] = _as_rows(self.lists)
        return {"format": FORMAT, "method": content.pop("method_name"), **content}


def public(test: Test) -> dict[str, Any]:
    """The data that the page needs and a listener may see (its `test.json`)."""
    return {
        "format": FORMAT,
        "id": test.id,
        "method": test.method_name,
        "title": test.title,
        "question": test.question,
        "completion": asdict(test.completion),
        "scale": test.method.scale,
        "min_heard": test.method.min_heard,
        "level": test.level,
        "checks": any(trial.kind == ATTENTION for trial in test.trials.values()),
        "seconds": {name: test.stimuli[name].seconds for name in sorted(test.stimuli)},
        "trials": {
            name: {
                "practice": test.trials[name].kind == TRAINING,
                "reference": test.trials[name].reference,
                "x": test.trials[name].x,
            }
            for name in sorted(test.trials)
        },
        "lists": _as_rows(test.lists),
    }


def blind_id(key: str, *parts: str) -> str:
    """12 hexadecimal digits that reveal nothing of `parts` without the key."""
    said = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(said, key=key.encode(), digest_size=6).hexdigest()


def write_test(folder: Path, test: Test) -> None:
    """Write TEST/manifest.json."""
    replace_text(folder / FILE, json.dumps(test.to_json(), indent=1) + "\n")


def read_test(folder: Path) -> Test:
    """Read TEST/manifest.json. Raises InputError if it is missing or damaged."""
    path = folder / FILE
    remedy = "make one with voiceconv listen build"
    try:
        content = json.loads(read_text(path))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no listening test, there is no {FILE}; {remedy}"
        ) from None
    except (OSError, InputError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable as JSON; {remedy}") from error
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise InputError(
            f"{path} is of format {content['format']!r}, this version reads {FORMAT}; use the "
            "version of voiceconv that wrote it"
        )
    try:
        return Test.from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no listening test's manifest ({error}); {remedy}") from error


def require_stimuli(folder: Path, test: Test) -> None:
    """Raise InputError if TEST/page lacks the file of a stimulus."""
    files = {name: folder / PAGE / "stimuli" / f"{name}.wav" for name in test.stimuli}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        one = test.stimuli[missing[0]]
        raise InputError(
            f"{files[one.id]} is not there, which is {one.item} by {one.system}; {len(missing)} of "
            f"{len(files)} stimuli are missing: copy the whole folder, or build the test anew"
        )


def _trial(
    shown: Iterable[str], expected: Mapping[str, tuple[float, float]], **known: Any
) -> Trial:
    bounds = {stimulus: (low, high) for stimulus, (low, high) in expected.items()}
    return Trial(shown=tuple(shown), expected=bounds, **known)


def _as_rows(lists: Iterable[Iterable[Turn]]) -> list[list[list[Any]]]:
    return [[[turn.trial, list(turn.order)] for turn in turns] for turns in lists]


def _check(test: Test) -> None:
    """Raise KeyError or ValueError if a part refers to a missing one, InputError for its name."""
    for name in (test.id, *test.stimuli):  # files are called after them
        below(name, FILE)
    test.stimuli[test.level]
    for stimulus in test.stimuli.values():
        test.systems[stimulus.system]
    for trial in test.trials.values():
        for name in trial.sounds:
            test.stimuli[name]
    for turns in test.lists:
        for turn in turns:
            if sorted(turn.order) != sorted(test.trials[turn.trial].shown):
                raise ValueError(f"a list shows other stimuli of {turn.trial} than the trial has")
