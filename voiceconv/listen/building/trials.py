"""The trials of each method, their sounds, and the listeners' lists.

A trial of `mos` and `similarity` shows one condition (a system, or the reference), one of `ab` and
`abx` a pair of systems, one of `mushra` all of them with the hidden reference and its anchors.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from voiceconv.listen.building.design import display_order, make_lists, spread, williams
from voiceconv.listen.building.selection import TARGET, Item, Picked
from voiceconv.listen.building.signals import ANCHORS, anchor, interrupted
from voiceconv.listen.building.stimuli import Sound
from voiceconv.listen.manifest import (
    ATTENTION,
    CHECK,
    REFERENCE,
    TRAINING,
    TRIAL,
    Trial,
    Turn,
    blind_id,
)
from voiceconv.listen.methods import Method

Condition = tuple[str, ...]  # the systems of one trial


def conditions(
    method: Method, systems: Sequence[str], anchors: Sequence[str], has_reference: bool
) -> list[Condition]:
    """The systems of a test's trials."""
    if method.together:
        return [(*systems, REFERENCE, *anchors)]
    if method.is_choice:
        return list(combinations(systems, 2))
    return [(name,) for name in [*systems, *[REFERENCE] * has_reference]]


@dataclass
class Plan:
    """The plan of a test: its trials, and the sounds to make.

    key: the key of the hashes for ids. sample_rate: Hz of all sounds. inputs: a digest of their
    sources. sounds, trials: by id. level: the sound for setting the volume.
    """

    method: Method
    conditions: Sequence[Condition]
    key: str
    seed: int
    sample_rate: int
    inputs: str
    sounds: dict[str, Sound] = field(default_factory=dict)
    trials: dict[str, Trial] = field(default_factory=dict)
    lists: list[tuple[Turn, ...]] = field(default_factory=list)
    level: str = ""

    def fill(self, picked: Picked, full: bool) -> None:
        """Plan everything."""
        rng = random.Random(self.seed)
        shuffled = rng.sample(sorted(self.conditions), len(self.conditions))
        checks = [self._check(number, item, rng) for number, item in enumerate(picked.checks)]
        # the orders of stimuli and, if there is an X, the system of X
        n_variants = len(williams(len(self.conditions[0]))) * self._n_x
        rows = make_lists(len(picked.items), len(self.conditions), n_variants, full, self.seed)
        for number, slots in enumerate(rows):
            training = [
                self._turn(TRAINING, place, item, shuffled[place % len(shuffled)], number + place)
                for place, item in enumerate(picked.training)
            ]
            turns = [
                self._turn(
                    TRIAL, s.item, picked.items[s.item], self.conditions[s.condition], s.variant
                )
                for s in slots
            ]
            between = [
                Turn(check.id, tuple(display_order(check.shown, number + place)))
                for place, check in enumerate(checks)
            ]
            self.lists.append((*training, *spread(turns, between)))
        self.level = self._sound("level", picked.level, _natural(picked.level))

    @property
    def _n_x(self) -> int:
        return 2 if self.method.name == "abx" else 1

    def _turn(self, kind: str, number: int, item: Item, condition: Condition, variant: int) -> Turn:
        """A trial, added if it is new, with its stimuli in one of their orders.

        number: index of the item within its kind.
        """
        scene = f"{kind} {number}"
        x = condition[variant % 2] if self._n_x == 2 else ""
        name = blind_id(self.key, "a trial", scene, *condition, x)
        if name not in self.trials:
            self.trials[name] = Trial(
                name,
                kind,
                item.name,
                item.key.direction,
                tuple(self._sound(scene, item, system) for system in condition),
                self._open_reference(scene, item),
                self._sound(scene, item, x, "x") if x else None,
            )
        order = display_order(self.trials[name].shown, variant // self._n_x)
        return Turn(name, tuple(order))

    def _check(self, number: int, item: Item, rng: random.Random) -> Trial:
        """Add a check: a trial whose beeps tell the answer."""
        scene, x = f"{ATTENTION} {number}", None
        value = 1
        if self._n_x == 2:  # X has the beeps of one of the two
            shown = [self._interrupted(scene, item, n_beeps) for n_beeps in (1, 3)]
            like = rng.randrange(2)
            right, x = shown[like], self._interrupted(scene, item, (1, 3)[like], "x")
        elif self.method.scale is None:  # the one with a beep must be chosen
            shown = [self._interrupted(scene, item, n_beeps) for n_beeps in (0, 1)]
            right = shown[1]
        else:  # all numbers of the scale, equally often
            low, high = self.method.scale
            places = random.Random(self.seed).sample(range(low, high + 1), high + 1 - low)
            value = places[number % len(places)]
            right = self._interrupted(scene, item, value)
            shown = [right]
        trial = Trial(
            blind_id(self.key, "a trial", scene),
            ATTENTION,
            item.name,
            item.key.direction,
            tuple(shown),
            self._open_reference(scene, item),
            x,
            {right: (value, value)},
        )
        self.trials[trial.id] = trial
        return trial

    def _open_reference(self, scene: str, item: Item) -> str | None:
        """The open reference of the trial, if there is one."""
        if TARGET in item.recordings:
            return self._sound(scene, item, TARGET, "open")
        if REFERENCE in item.recordings and (self.method.together or self.method.is_choice):
            return self._sound(scene, item, REFERENCE, "open")
        return None

    def _sound(self, scene: str, item: Item, system: str, use: str = "") -> str:
        """Add a stimulus, once for each use; return its id."""
        edge = ANCHORS.get(system)
        recording = item.recordings[REFERENCE if edge else system]
        change = partial(anchor, pass_edge=edge) if edge else None
        return self._note(Sound(system, item.name, scene, recording, change), use)

    def _interrupted(self, scene: str, item: Item, n_beeps: int, use: str = "") -> str:
        """Add a recording of the item with beeps in its middle; return its id."""
        plain = item.recordings[_natural(item)]
        change = partial(interrupted, n_beeps=n_beeps) if n_beeps else None
        return self._note(Sound(CHECK, item.name, scene, plain, change), f"{use} {n_beeps}")

    def _note(self, sound: Sound, use: str) -> str:
        name = blind_id(self.key, "a sound", sound.scene, sound.system, use)
        self.sounds[name] = sound
        return name


def _natural(item: Item) -> str:
    """The source of an item's recording that is no system, if there is one."""
    return min(item.recordings, key=lambda name: (name != TARGET, name != REFERENCE, name))
