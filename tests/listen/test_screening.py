"""Who is kept: each rule at its border."""

import pytest
from tiny_test import answers_of, tiny_test

from voiceconv.listen.analysis.screening import screen
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import ATTENTION, TRIAL, Test, Trial

ITEMS = [f"F-M/{number}" for number in range(20)]


def listener(name="L1", number=0):
    return Listener(name, number, "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z")


def with_checks(n: int) -> Test:
    """A MOS test whose one check comes n times, in both lists."""
    test = tiny_test(training=False)
    (check,) = [trial for trial in test.trials.values() if trial.kind == ATTENTION]
    more = {
        f"check {number}": Trial(f"check {number}", ATTENTION, "check", "", check.shown,
                                 expected=check.expected)
        for number in range(n)
    }  # fmt: skip
    trials = {name: one for name, one in test.trials.items() if one.kind == TRIAL} | more
    lists = tuple(tuple(turn for turn in turns if turn.trial in trials) for turns in test.lists)
    return Test(**{**vars(test), "trials": trials, "lists": lists})


def checked(n: int, n_failed: int, **options):
    """Screening of a listener who fails some of n checks (which expect 2)."""
    test = with_checks(n)
    answers = [
        Answer("L1", trial.id, {name: 3.0 for name in trial.shown})
        for trial in test.trials.values()
        if trial.kind == TRIAL
    ]
    for number in range(n):
        trial = test.trials[f"check {number}"]
        answers.append(Answer("L1", trial.id, {trial.shown[0]: 3.0 if number < n_failed else 2.0}))
    (found,) = screen(test, [listener()], answers, **options)
    return found


@pytest.mark.parametrize(
    ("n", "n_failed", "kept"),
    [(0, 0, True), (1, 0, True), (1, 1, False), (2, 1, False), (4, 1, False), (5, 1, True),
     (5, 2, False), (10, 2, True), (10, 3, False)],
)  # fmt: skip
def test_four_of_five_checks_have_to_be_right(n, n_failed, kept):
    found = checked(n, n_failed)
    assert found.kept == kept and found.n_answers == 6
    grounds = [f"{n_failed} of {n} attention checks failed"]
    assert [reason for reason in found.reasons if "checks" in reason] == ([] if kept else grounds)


def test_without_exclusion_the_grounds_are_still_said():
    found = checked(2, 1, exclude=False)
    assert found.kept and "1 of 2 attention checks failed" in found.reasons


def mushra(*scores):
    """Screening of listeners by (how often the reference is 89, how often the anchor is 91)."""
    test = tiny_test("mushra", items=ITEMS, training=False)
    answers = []
    for number, (n_low, n_high) in enumerate(scores):
        for place, trial in enumerate(test.trials.values()):
            worth = {"reference": 89.0 if place < n_low else 90.0, "anchor35": 0.0}
            worth["anchor70"] = 91.0 if place < n_high else 90.0
            values = {name: worth.get(test.stimuli[name].system, 50.0) for name in trial.shown}
            answers.append(Answer(f"L{number}", trial.id, values))
    return screen(test, [listener(f"L{number}") for number in range(len(scores))], answers)


def test_mushra_excludes_who_has_the_reference_below_90_in_more_than_15_percent():
    """BS.1534-3, 4.1.2: 3 of 20 are 15%."""
    kept, excluded = mushra((3, 0), (4, 0))
    assert kept.kept and kept.reasons == []
    assert not excluded.kept
    assert excluded.reasons == ["hidden reference below 90 in 4 of 20 trials"]


def test_mushra_excludes_who_has_the_mid_anchor_above_90_unless_a_quarter_of_all_do():
    found = mushra((0, 3), (0, 4), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0))
    assert [one.kept for one in found] == [True, False] + [True] * 6  # 2 of 8 are no more than 25%
    assert found[1].reasons == ["mid-range anchor above 90 in 4 of 20 trials"]
    found = mushra((0, 4), (0, 4), (0, 4), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0))
    assert all(one.kept for one in found)  # 3 of 8: it is the anchor


def test_who_stopped_early_is_kept_and_who_answered_nothing_is_not():
    test = tiny_test(training=True)
    answers = [
        Answer("L1", name, values) for name, values in answers_of(test, 0, lambda one: 2).items()
    ]
    counted = [one for one in answers if test.trials[one.trial].kind == TRIAL]
    rest = [one for one in answers if one not in counted]
    first, second = screen(
        test, [listener(), listener("L2")], rest + counted[:3] + [rest[0]._replace(listener="L2")]
    )
    assert first == ("L1", 3, True, ["stopped after 3 of 6 trials"])
    assert second == ("L2", 0, False, ["no trial answered"])


def test_the_same_answer_throughout_is_remarked_on():
    test = tiny_test(checks=False, training=False)
    answers = [Answer("L1", name, v) for name, v in answers_of(test, 0, lambda one: 4).items()]
    assert screen(test, [listener()], answers) == [
        ("L1", 6, True, ["the same answer, 4, throughout"])
    ]
    answers[0] = answers[0]._replace(values=dict.fromkeys(answers[0].values, 3.0))
    assert screen(test, [listener()], answers)[0].reasons == []


@pytest.mark.parametrize("number", [0, 1])
def test_always_the_first_of_two_is_remarked_on(number):
    test = tiny_test("ab", items=ITEMS, checks=False, training=False)
    answers = [
        Answer("L1", turn.trial, {turn.order[0]: 1.0, turn.order[1]: 0.0})
        for turn in test.lists[number]
    ]
    (found,) = screen(test, [listener(number=number)], answers)
    assert found == ("L1", 20, True, ["the first throughout"])
    answers[0] = answers[0]._replace(values={k: 1 - v for k, v in answers[0].values.items()})
    assert screen(test, [listener(number=number)], answers)[0].reasons == []
