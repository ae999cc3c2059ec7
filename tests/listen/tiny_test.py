"""A small listening test of each method, for tests: two systems, two sentences, tones for speech.

test = tiny_test("mushra")                      # a Test, nothing on disk
folder = tiny_folder(tmp_path / "test", test)   # manifest.json, page/test.json, page/stimuli/
stimulus_of(test, "alpha", "F-M/one")           # the id of what a system made of a sentence
answers_of(test, "L1", lambda stimulus: 3)      # {trial: values}, one list's course
"""

import itertools
import json
import math
import struct
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

from voiceconv.listen.manifest import (
    ANCHOR,
    ATTENTION,
    CHECK,
    PAGE,
    REFERENCE,
    SYSTEM,
    TRAINING,
    TRIAL,
    Stimulus,
    System,
    Test,
    Trial,
    Turn,
    blind_id,
    public,
    write_test,
)

KEY = "tiny"
SAMPLE_RATE = 16_000
ITEMS = ("F-M/one", "M-F/two")
ANCHORS = ("anchor35", "anchor70")


def tiny_test(
    method: str = "mos",
    *,
    systems: Sequence[str] = ("alpha", "beta"),
    items: Sequence[str] = ITEMS,
    n_lists: int = 2,
    checks: bool = True,
    training: bool = True,
) -> Test:
    """A test of a method. Every list has all trials, rotated by its number; training comes first.

    With `checks` (none in MUSHRA) one trial is of kind "check", with `training` one of "training".
    """
    made = {name: System(name, SYSTEM) for name in systems}
    made["reference"] = System("reference", REFERENCE)
    made["check"] = System("check", CHECK)
    if method == "mushra":
        made |= {name: System(name, ANCHOR) for name in ANCHORS}
    trials, stimuli = _trials(method, systems, items)
    if checks and method != "mushra":
        check = _check(method, stimuli)
        trials[check.id] = check
    if training:
        first = next(iter(trials.values()))
        practice = _retold(first, TRAINING)
        trials[practice.id] = practice
    level = _stimulus(stimuli, "check", "level")
    return Test(
        id=blind_id(KEY, "test", method)[:8],
        key=KEY,
        method_name=method,
        title=f"A tiny {method} test",
        seed=1,
        sample_rate=SAMPLE_RATE,
        loudness=-26.0,
        level=level,
        systems=made,
        stimuli={one.id: one for one in stimuli},
        trials=trials,
        lists=tuple(_course(trials, number) for number in range(n_lists)),
    )


def tiny_folder(folder: Path, test: Test) -> Path:
    """Write TEST/: the manifest, page/test.json and a tone of its own length for each stimulus."""
    sounds = folder / PAGE / "stimuli"
    sounds.mkdir(parents=True)
    write_test(folder, test)
    (folder / PAGE / "test.json").write_text(json.dumps(public(test)), encoding="utf-8")
    for number, stimulus in enumerate(test.stimuli.values()):
        n_samples = round(stimulus.seconds * test.sample_rate)
        step = 2 * math.pi * (200 + 20 * number) / test.sample_rate
        samples = [round(3000 * math.sin(step * n)) for n in range(n_samples)]
        with wave.open(str(sounds / f"{stimulus.id}.wav"), "wb") as file:
            file.setparams((1, 2, test.sample_rate, 0, "NONE", ""))
            file.writeframes(struct.pack(f"<{n_samples}h", *samples))
    return folder


def stimulus_of(test: Test, system: str, item: str) -> str:
    """The stimulus that is judged; of the reference in MUSHRA the hidden one."""
    judged = {name for trial in test.trials.values() for name in trial.shown}
    (found,) = [
        one.id
        for one in test.stimuli.values()
        if one.system == system and one.item == item and one.id in judged
    ]
    return found


def answers_of(
    test: Test, list_number: int, value: Callable[[str], float]
) -> dict[str, dict[str, float]]:
    """{trial: values} of a whole course; of two the one of the higher `value` is chosen."""
    answers = {}
    for turn in test.lists[list_number]:
        if test.method.is_choice:
            chosen = max(turn.order, key=value)
            answers[turn.trial] = {name: float(name == chosen) for name in turn.order}
        else:
            answers[turn.trial] = {name: float(value(name)) for name in turn.order}
    return answers


def _trials(
    method: str, systems: Sequence[str], items: Sequence[str]
) -> tuple[dict[str, Trial], list[Stimulus]]:
    trials: dict[str, Trial] = {}
    stimuli: list[Stimulus] = []
    for item in items:
        groups: list[tuple[str, ...]] = [(name,) for name in (*systems, "reference")]
        if method in ("ab", "abx"):
            groups = list(itertools.combinations(systems, 2))
        if method == "mushra":
            groups = [(*systems, "reference", *ANCHORS)]
        spoken = {}
        for name in dict.fromkeys(itertools.chain(*groups)):
            spoken[name] = _stimulus(stimuli, name, item)
        for group in groups:
            open_ = _stimulus(stimuli, "reference", item, "open") if _has_open(method) else None
            x = _stimulus(stimuli, group[-1], item, "x", *group) if method == "abx" else None
            name = blind_id(KEY, "trial", item, *group)
            shown = tuple(spoken[one] for one in group)
            direction = item.partition("/")[0]
            trials[name] = Trial(name, TRIAL, item, direction, shown, open_, x)
    return trials, stimuli


def _has_open(method: str) -> bool:
    return method in ("similarity", "mushra")


def _stimulus(stimuli: list[Stimulus], system: str, item: str, *more: str) -> str:
    """Add a stimulus unless it is there; its length tells it from others."""
    name = blind_id(KEY, system, item, *more)
    if name not in {one.id for one in stimuli}:
        seconds = 0.30 + 0.01 * len(stimuli)
        source = f"{system}/{item}.wav"
        digest = f"{len(stimuli):064x}"
        stimuli.append(Stimulus(name, system, item, seconds, -26.0, -9.0, 1.5, source, digest))
    return name


def _check(method: str, stimuli: list[Stimulus]) -> Trial:
    """A check: 2 is expected of a rating, the first of two of a choice."""
    shown = (_stimulus(stimuli, "check", "beeps"),)
    expected = {shown[0]: (2.0, 2.0)}
    x = open_ = None
    if method in ("ab", "abx"):
        shown = (*shown, _stimulus(stimuli, "check", "no beeps"))
        expected = {shown[0]: (1.0, 1.0)}
    if method == "abx":
        x = _stimulus(stimuli, "check", "beeps", "x")
    if _has_open(method):
        open_ = _stimulus(stimuli, "check", "beeps", "open")
    name = blind_id(KEY, "trial", "check")
    return Trial(name, ATTENTION, "check", "", shown, open_, x, expected)


def _retold(trial: Trial, kind: str) -> Trial:
    """The same stimuli as a trial of another kind."""
    name = blind_id(KEY, "trial", kind)
    return Trial(name, kind, trial.item, trial.direction, trial.shown, trial.reference, trial.x)


def _course(trials: dict[str, Trial], number: int) -> tuple[Turn, ...]:
    """Training, then all others from the number-th on; stimuli turn over in odd lists."""
    first = [name for name, trial in trials.items() if trial.kind == TRAINING]
    rest = [name for name in trials if name not in first]
    start = number % len(rest)
    order = [*first, *rest[start:], *rest[:start]]
    return tuple(Turn(name, trials[name].shown[:: -1 if number % 2 else 1]) for name in order)
