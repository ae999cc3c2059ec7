"""A listening test as it was built: `TEST/manifest.json`, the key to what the page doesn't say.

The page gets `public(test)`: ids that are keyed hashes, in an order that says nothing. Which system
made a stimulus, what it says and what a check expects stand in the manifest alone.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from voiceconv.errors import InputError
from voiceconv.files import replace_text
from voiceconv.listen.methods import METHODS, Method

FORMAT = 1
FILE = "manifest.json"
PAGE = "page"  # the folder that is served
SYSTEM, REFERENCE, ANCHOR, CHECK = "system", "reference", "anchor", "check"  # roles
TRIAL, TRAINING, ATTENTION = "trial", "training", "check"  # kinds


@dataclass(frozen=True)
class System:
    """What made stimuli: a system under test, the reference, an anchor, or a check of attention.

    made: how, as far as it is known: its folders, and what `voiceconv convert` left there.
    """

    name: str
    role: str
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stimulus:
    """One file of the page, `stimuli/<id>.wav`.

    loudness (LUFS) and peak (dBFS, between samples) are those of the file as it was written;
    gain_db is all that was added to the level of `source`, whose file's digest is sha256.
    start is where, in seconds of the source, the stimulus begins.
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


@dataclass(frozen=True)
class Trial:
    """One question. `item` is the sentence, "direction/stem" or "stem", whoever speaks it.

    Args:
        shown: the stimuli to be judged, in the order of the systems; a turn says in which order a
            listener gets them.
        reference: played openly beside them.
        x: of ABX: a copy of one of `shown`, whose system it has.
        expected: of a check: stimulus -> lowest and highest value that show attention.
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
        """All stimuli that can be heard in it."""
        return {*self.shown, *filter(None, [self.reference, self.x])}


@dataclass(frozen=True)
class Turn:
    """A trial as one listener gets it: its stimuli in the order of the page."""

    trial: str
    order: tuple[str, ...]


@dataclass(frozen=True)
class Test:
    """A listening test. `lists` are the listeners' courses: who starts gets the least used one."""

    __test__ = False  # pytest: no, not one of yours

    id: str
    key: str  # what ids are hashed with
    method_name: str
    title: str
    seed: int
    sample_rate: int
    loudness: float  # LUFS of every stimulus
    level: str  # the stimulus that listeners set their volume by
    systems: Mapping[str, System]
    stimuli: Mapping[str, Stimulus]
    trials: Mapping[str, Trial]
    lists: tuple[tuple[Turn, ...], ...]
    question: str | None = None  # asked in place of the method's own
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """What listeners are asked."""
        return METHODS[self.method_name]

    def names(self, role: str) -> list[str]:
        """Names of the systems of a role, in the order that they were given."""
        return [system.name for system in self.systems.values() if system.role == role]

    def system_of(self, stimulus: str) -> System:
        """What made a stimulus."""
        return self.systems[self.stimuli[stimulus].system]

    def turn(self, list_number: int, trial: str) -> Turn | None:
        """A trial as a list has it; None where it is not in it."""
        return next((turn for turn in self.lists[list_number] if turn.trial == trial), None)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From what `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
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
        test = cls(**known)
        _check(test)
        return test

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        content = asdict(self)
        content["lists"] = _as_rows(self.lists)
        return {"format": FORMAT, "method": content.pop("method_name"), **content}


def public(test: Test) -> dict[str, Any]:
    """What the page needs and a listener may know (its `test.json`)."""
    return {
        "format": FORMAT,
        "id": test.id,
        "method": test.method_name,
        "title": test.title,
        "question": test.question,
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
    """12 hexadecimal digits that say nothing of `parts` to whoever hasn't got the key."""
    said = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(said, key=key.encode(), digest_size=6).hexdigest()


def write_test(folder: Path, test: Test) -> None:
    """Write TEST/manifest.json."""
    replace_text(folder / FILE, json.dumps(test.to_json(), indent=1) + "\n")


def read_test(folder: Path) -> Test:
    """Read TEST/manifest.json. Raises InputError where there is none, or it is damaged."""
    path = folder / FILE
    remedy = "make one with voiceconv listen build"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no listening test, there is no {FILE}; {remedy}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
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


def _trial(
    shown: Iterable[str], expected: Mapping[str, tuple[float, float]], **known: Any
) -> Trial:
    bounds = {stimulus: (low, high) for stimulus, (low, high) in expected.items()}
    return Trial(shown=tuple(shown), expected=bounds, **known)


def _as_rows(lists: Iterable[Iterable[Turn]]) -> list[list[list[Any]]]:
    return [[[turn.trial, list(turn.order)] for turn in turns] for turns in lists]


def _check(test: Test) -> None:
    """Raise KeyError or ValueError where a part names another that is not there."""
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
