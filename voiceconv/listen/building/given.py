"""Check the options of a listening test, and fill in the defaults."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from voiceconv.errors import InputError
from voiceconv.listen.building.selection import TARGET, Numbers
from voiceconv.listen.building.signals import ANCHORS, stop_edge
from voiceconv.listen.manifest import CHECK, REFERENCE
from voiceconv.listen.methods import METHODS, Method

Location = Path | str
Asked = tuple[int | None, int | None, int | None]  # Numbers that the user has given

LOUDNESS = (-50.0, -10.0)  # accepted LUFS
N_ITEMS, N_ITEMS_TOGETHER = 20, 10
MOST_TOGETHER = 12  # most stimuli of a MUSHRA trial, BS.1534-3
LONGEST_NAME = 100  # bytes: some file systems accept 255 in a folder's name
RESERVED = {REFERENCE, TARGET, CHECK, *ANCHORS}  # reserved names


def method_named(name: str) -> Method:
    """A method of METHODS."""
    if name not in METHODS:
        raise InputError(f"there is no test {name!r}; choose from {', '.join(METHODS)}")
    return METHODS[name]


def places_of(
    systems: Sequence[tuple[str, Location]],
    reference: Location | None,
    target_reference: Location | None,
) -> dict[str, list[Path]]:
    """System, reference or target -> its folders."""
    places: dict[str, list[Path]] = {}
    for name, folder in systems:
        if name in RESERVED:
            raise InputError(f"a system can't be called {name!r}; give it another name")
        if not name.isprintable() or not name.strip() or set(name) & set("/\\") or name[0] == ".":
            raise InputError(
                f"{name!r} can't be a system's name, which is to be a folder's, too; choose another"
            )
        if len(os.fsencode(name)) > LONGEST_NAME:  # ReSEval's folders have names of two systems
            raise InputError(
                f"the name {name[:20]!r}... has more than {LONGEST_NAME} bytes; shorten it"
            )
        places.setdefault(name, []).append(Path(folder))
    others = {REFERENCE: reference, TARGET: target_reference}
    return places | {name: [Path(place)] for name, place in others.items() if place is not None}


def check(
    method: Method,
    names: Sequence[str],
    places: Mapping[str, Sequence[Path]],
    n_checks: int | None,
    loudness: float,
) -> None:
    """Refuse missing inputs of a method, and inputs that it does not use."""
    if method.is_choice and len(names) < 2 or not names:
        raise InputError(f"{method.name} takes {1 + method.is_choice} systems or more; add one")
    if method.together and REFERENCE not in places:
        raise InputError("mushra rates against a reference; add --reference DIR")
    if method.name == "similarity" and TARGET not in places:
        raise InputError("similarity is judged beside the target; add --target-reference DIR")
    if method.name != "similarity" and TARGET in places:
        raise InputError(f"{method.name} has no use for --target-reference; leave it out")
    if method.name == "abx" and REFERENCE in places:
        raise InputError("abx has no use for --reference; leave it out, or make it a system")
    if method.together and n_checks:
        raise InputError("mushra's check is the hidden reference; leave --checks out")
    if not LOUDNESS[0] <= loudness <= LOUDNESS[1]:
        raise InputError(
            f"stimuli of {loudness:g} LUFS would not be heard or would clip; "
            f"choose from {LOUDNESS[0]:g} to {LOUDNESS[1]:g}"
        )


def numbers_of(
    method: Method, n_conditions: int, n_candidates: int, full: bool, asked: Asked
) -> Numbers:
    """The given numbers, or the method's defaults."""
    n_items, n_training, n_checks = asked
    if n_items is not None and n_items > n_candidates:
        raise InputError(
            f"{n_items} sentences are asked for, and {n_candidates} are common to all systems; "
            "choose fewer with --items"
        )
    if n_training is None:
        n_training = 1 if method.together else 2
    if n_items is None:
        n_items = min(N_ITEMS_TOGETHER if method.together else N_ITEMS, n_candidates - n_training)
        if not method.together:  # a listener hears all conditions equally often
            n_items -= n_items % n_conditions if n_items > n_conditions else 0
        n_items = max(n_items, min(n_conditions, n_candidates), 1)
    if n_checks is None:
        n_trials = n_items * (n_conditions if full else 1)
        n_checks = 0 if method.together else math.ceil(n_trials / 10)
    return Numbers(n_items, n_training, n_checks)


def anchors_at(method: Method, rate: int, n_systems: int) -> tuple[list[str], list[str]]:
    """MUSHRA's anchors that differ from the reference at a sample rate, and notes about them."""
    if not method.together:
        return [], []
    anchors = [name for name, edge in ANCHORS.items() if 2 * stop_edge(edge) <= rate]
    if not anchors:
        raise InputError(
            f"mushra's low anchor ends at 3.5 kHz, and {rate} Hz hold little more; "
            "give recordings of at least 8000 Hz"
        )
    notes = []
    if len(anchors) < len(ANCHORS):
        notes.append(f"there is no mid anchor: {rate} Hz hold little more than its 7 kHz")
    if (n_shown := n_systems + 1 + len(anchors)) > MOST_TOGETHER:
        notes.append(f"a trial has {n_shown} stimuli; BS.1534-3 recommends {MOST_TOGETHER} at most")
    return anchors, notes
