"""A folder with a tiny test and made-up listeners' answers."""

import random
from collections.abc import Sequence
from pathlib import Path

from tiny_test import answers_of, tiny_folder, tiny_test

from voiceconv.listen.answers import Answer, Listener, Store
from voiceconv.listen.database import FILE
from voiceconv.listen.manifest import ATTENTION, TRIAL, Test


def listened(
    folder: Path,
    method: str,
    n_listeners: int = 8,
    systems: Sequence[str] = ("alpha", "beta"),
    n_items: int = 6,
    careless: int = 0,
) -> Test:
    """A test's folder and its answers; each system is better than the one before.

    The first `careless` listeners fail the checks (in MUSHRA they do not hear the reference). The
    first listener has comments.
    """
    items = [f"{'F-M' if n % 2 else 'M-F'}/sentence{n}" for n in range(n_items)]
    test = tiny_test(method, systems=systems, items=items, n_lists=4)
    tiny_folder(folder, test)
    store = Store(folder / FILE)
    for number in range(n_listeners):
        answers = list(_answers(test, number, careless=number < careless))
        said = "<b>Thank you</b> & goodbye" if number == 0 else ""
        store.add(
            Listener(
                f"{number:06x}abcdef", number % 4, "2026-11-21T20:00:00+00:00",
                "2026-11-21T20:30:00+00:00", comment=said, origin="answers.json",
            ),
            answers,
        )  # fmt: skip
    store.close()
    return test


def _answers(test: Test, number: int, careless: bool):
    rng = random.Random(number)
    low, high = test.method.scale or (0, 1)
    names = list(test.systems)

    def value(stimulus: str) -> float:
        one = test.stimuli[stimulus].system
        if test.method.is_choice:
            return rng.gauss(0.7 * names.index(one), 1)
        middle = {"reference": 0.97, "check": 0.25, "anchor35": 0.2, "anchor70": 0.4}.get(
            one, 0.45 + 0.3 * names.index(one) / len(names)
        )
        spread = 0.02 if one in ("reference", "check") else 0.15
        rated = low + (high - low) * (
            rng.gauss(middle - 0.3 * (careless and one == "reference"), spread)
        )
        return min(high, max(low, round(rated)))

    for trial, values in answers_of(test, number % 4, value).items():
        one = test.trials[trial]
        if one.kind == ATTENTION:
            values = {name: one.expected.get(name, (0, 0))[0] + careless for name in values}
            if test.method.is_choice:
                right = next(iter(one.expected))
                values = {name: float((name == right) != careless) for name in values}
        comment = f"hiss <script>{number}" if rng.random() < 0.02 and one.kind == TRIAL else ""
        yield Answer(f"{number:06x}abcdef", trial, values, {}, 3.0, comment)
