"""Select the recordings of a listening test: find them in folders, pair them by name, draw by seed.

A recording is identified by its place (its sub-folder, one per direction in recipes, or its domain
in a Kaldi data directory; "" in a flat folder) and its name. A candidate is a recording that all
systems have at the same place and name. A reference may be at the same place, under the target's
name (the end of the place's name), or in a flat folder; its name is the longest end of the
candidate's name, cut at hyphens, that is known there.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from voiceconv.data.content import content_files, extent_of, stems
from voiceconv.data.kaldi import Utterance, is_data_dir, read_data_dir
from voiceconv.errors import InputError
from voiceconv.evaluation.inputs import ends
from voiceconv.files import plain_name, printable
from voiceconv.listen.manifest import REFERENCE

TARGET = "target"  # like REFERENCE, no system
SHORTEST = 0.4  # seconds: one block of BS.1770's loudness
_SHORTEST_TARGET = 1.0  # seconds: too short to recognise a voice


class Key(NamedTuple):
    """The identity of a recording in all systems."""

    direction: str
    stem: str

    def __str__(self) -> str:
        return "/".join(filter(None, self))


class Item(NamedTuple):
    """A sentence of the test, with each system's recording of it.

    If given, REFERENCE has the target's own recording, and TARGET one of another sentence.
    """

    key: Key
    recordings: Mapping[str, Utterance]

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        return str(self.key)


class Numbers(NamedTuple):
    """Numbers of sentences: for trials, training and checks."""

    items: int
    training: int
    checks: int


class Picked(NamedTuple):
    """The sentences of a test: for trials, training, checks, and for setting the volume."""

    items: list[Item]
    training: list[Item]
    checks: list[Item]
    level: Item

    @property
    def recordings(self) -> list[Utterance]:
        """All of them."""
        items = [*self.items, *self.training, *self.checks, self.level]
        return [utterance for item in items for utterance in item.recordings.values()]


Found = dict[Key, Utterance]


def find(folders: Iterable[Path]) -> Found:
    """Recordings by place and name. Raises InputError if a name occurs twice at a place."""
    found: Found = {}
    for folder in folders:
        for utterance in _recordings(folder):
            key = Key(utterance.domain, utterance.id)
            if key in found:
                raise InputError(
                    f"{printable(found[key].path)} and {printable(utterance.path)} have the same "
                    "name; keep one"
                )
            found[key] = utterance
    return found


def candidates(
    found: Mapping[str, Found], longest: float, seed: int
) -> tuple[list[Item], list[str]]:
    """The candidates, sorted by name, and a note for each reason of exclusion.

    found: recordings of each system, and of REFERENCE and TARGET if they are given. longest:
    seconds. Raises InputError if no candidate is left.
    """
    items, notes = _common({n: one for n, one in found.items() if n not in (REFERENCE, TARGET)})
    if references := found.get(REFERENCE):
        own = {item.key: _same_sentence(item.key, references) for item in items}
        items, more = _left(_with(REFERENCE, own, items), items, "not in --reference")
        notes += more
    if targets := found.get(TARGET):
        own = {item.key: _other_sentence(item.key, targets, seed) for item in items}
        why = "without another sentence of the target in --target-reference"
        items, more = _left(_with(TARGET, own, items), items, why)
        notes += more
    kept = [item for item in items if _longest(item) <= longest]
    items, more = _left(kept, items, f"longer than {longest:g} seconds")
    return items, notes + more


def pick(items: Iterable[Item], numbers: Numbers, seed: int) -> tuple[Picked, list[str]]:
    """The sentences of a test, and notes about them.

    Training, volume and checks have their own sentences, if there are enough.
    """
    order = _ranked(items, seed)
    chosen, rest = order[: numbers.items], order[numbers.items :]
    others = list(islice(cycle(rest + chosen), numbers.training + 1 + numbers.checks))
    notes = []
    if len(rest) < numbers.training:
        notes.append("training repeats sentences of the test: there are no more of them")
    counts = Counter(item.key.direction for item in chosen)
    if max(counts.values()) > min(counts.values()) + 1:
        notes.append(
            "directions are not as often as each other: "
            + ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
        )
    return Picked(
        # by direction: then each list has all conditions in each direction, as far as possible
        sorted(chosen, key=lambda item: item.key.direction),
        others[: numbers.training],
        others[numbers.training + 1 :],
        others[numbers.training],
    ), notes


def seconds(utterance: Utterance) -> float:
    """Duration, from the header."""
    return extent_of(utterance).seconds


def _longest(item: Item) -> float:
    """Seconds. Raises InputError, which names the system, for a file that cannot be read."""
    lengths = []
    for name, utterance in item.recordings.items():
        try:
            lengths.append(seconds(utterance))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    return max(lengths)


def _recordings(folder: Path) -> list[Utterance]:
    """Utterances of a folder; their domain is the place."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; check the path")
    if is_data_dir(folder):
        return read_data_dir(folder)
    files = content_files(folder)
    if not files:
        raise InputError(f"no sound file in {folder}; give a folder that holds some")
    places = [plain_name(file.parent.relative_to(folder).as_posix()) for file in files]
    return [
        Utterance(plain_name(stem), "" if place == "." else place, file)
        for file, stem, place in zip(files, stems(files), places, strict=True)
    ]


def _of_place(found: Found, direction: str) -> dict[str, Utterance]:
    """The recordings of a direction, by name, and by name without the target's prefix."""
    places = {key.direction for key in found}
    targets = ends(direction)
    place = next((place for place in [*targets, ""] if place in places), None)
    if direction == "" and len(places) == 1:
        (place,) = places
        targets = [place]
    table: dict[str, Utterance] = {}
    for key in sorted(key for key in found if key.direction == place):
        for name in [key.stem, *(key.stem.removeprefix(f"{target}-") for target in targets)]:
            table.setdefault(name, found[key])
    return table


def _same_sentence(key: Key, references: Found) -> Utterance | None:
    table = _of_place(references, key.direction)
    return next((table[end] for end in ends(key.stem) if end in table), None)


def _other_sentence(key: Key, targets: Found, seed: int) -> Utterance | None:
    """A random recording of the target that is long enough and another sentence."""
    table = _of_place(targets, key.direction)
    same = {table[end] for end in ends(key.stem) if end in table}
    others = sorted(set(table.values()) - same, key=lambda u: _rank(seed, f"{key} {u.id}"))
    return next((one for one in others if seconds(one) >= _SHORTEST_TARGET), None)


def _common(systems: Mapping[str, Found]) -> tuple[list[Item], list[str]]:
    """The recordings that all systems have, sorted by name, and a note about missing ones."""
    every: set[Key] = set().union(*systems.values())
    items = [
        Item(key, {name: found[key] for name, found in systems.items()})
        for key in sorted(every)
        if all(key in found for found in systems.values())
    ]
    if not items:
        examples = ", ".join(f"{name} has {str(min(found))!r}" for name, found in systems.items())
        raise InputError(
            f"no recording is common to all systems ({examples}); "
            "give their files and sub-folders the same names"
        )
    lost = {name: every - found.keys() for name, found in systems.items()}
    return items, [note for name, keys in lost.items() for note in _note(keys, f"not in {name}")]


def _with(name: str, found: Mapping[Key, Utterance | None], items: Iterable[Item]) -> list[Item]:
    """Items with one more recording, if it was found."""
    return [
        item._replace(recordings={**item.recordings, name: own})
        for item in items
        if (own := found[item.key])
    ]


def _left(kept: Sequence[Item], items: Sequence[Item], why: str) -> tuple[list[Item], list[str]]:
    """The kept items, with a note about the others. Raises InputError if none was kept."""
    lost = {item.key for item in items} - {item.key for item in kept}
    if not kept:
        raise InputError(
            f"nothing is left to ask about: {str(min(lost))!r} and all others are {why}; "
            "call files alike, and sub-folders or domains after directions or their targets"
        )
    return list(kept), _note(lost, why)


def _note(lost: set[Key], why: str) -> list[str]:
    some = f"{len(lost)} recording{'s' * (len(lost) > 1)}"
    return [f"{some} left out, such as {min(lost)}: {why}"] if lost else []


def _ranked(items: Iterable[Item], seed: int) -> list[Item]:
    """A random order that alternates directions, so its first n are balanced.

    It depends only on names and seed, not on the order of systems or files.
    """
    by_direction: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: _rank(seed, item.name)):
        by_direction.setdefault(item.key.direction, []).append(item)
    rows = zip_longest(*by_direction.values())
    return [item for row in rows for item in row if item is not None]


def _rank(seed: int, name: str) -> bytes:
    """A sort key for a random order that depends only on the seed."""
    return hashlib.blake2b(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest()
