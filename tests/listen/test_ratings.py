"""Answers joined with the key: hand-made answers of tiny tests."""

import pytest
from tiny_test import answers_of, stimulus_of, tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.analysis.ratings import join
from voiceconv.listen.answers import Answer
from voiceconv.listen.manifest import ATTENTION, TRIAL

VALUES = {"alpha": 2.0, "beta": 4.0, "reference": 5.0, "check": 2.0, "anchor35": 1.0, "anchor70": 3}


def all_answers(test, listener, value, number=0):
    """A listener's answers to a whole list."""
    return [Answer(listener, name, own) for name, own in answers_of(test, number, value).items()]


def rows(ratings):
    """(listener, item, direction, system, other, value) by names, sorted."""
    names = (ratings.listeners, ratings.items, ratings.directions, ratings.systems)
    numbers = (ratings.listener, ratings.item, ratings.direction, ratings.system)
    columns = [[own[i] for i in column] for own, column in zip(names, numbers, strict=True)]
    other = [ratings.systems[i] for i in ratings.other]
    return sorted(zip(*columns, other, ratings.value.tolist(), strict=True))


@pytest.mark.parametrize("method", ["mos", "similarity", "mushra"])
def test_a_row_for_each_rating_without_training_and_checks(method):
    test = tiny_test(method)
    scaled = {
        name: value if method != "similarity" else value - 1 for name, value in VALUES.items()
    }
    answers = all_answers(test, "L1", lambda one: scaled[test.stimuli[one].system])
    systems = ["alpha", "beta", "reference"] + ["anchor35", "anchor70"] * (method == "mushra")
    expected = [
        ("L1", item, item[:3], system, system, scaled[system])
        for item in ("F-M/one", "M-F/two")
        for system in systems
    ]
    assert rows(join(test, answers, ["L1"])) == sorted(expected)


def test_a_preference_is_1_where_the_later_system_of_the_manifest_was_chosen():
    test = tiny_test("ab", systems=("zeta", "beta"))
    chosen = {stimulus_of(test, "zeta", "F-M/one"), stimulus_of(test, "beta", "M-F/two")}
    answers = all_answers(test, "L1", lambda one: one in chosen)
    assert rows(join(test, answers, ["L1"])) == [
        ("L1", "F-M/one", "F-M", "zeta", "beta", 0.0),
        ("L1", "M-F/two", "M-F", "zeta", "beta", 1.0),
    ]


def test_abx_is_1_where_the_choice_is_what_x_is():
    test = tiny_test("abx")  # in which x is always of the second, beta
    (first, second) = [trial for trial in test.trials.values() if trial.kind == TRIAL]
    answers = []
    for trial, system in ((first, "alpha"), (second, "beta")):
        values = {name: float(test.stimuli[name].system == system) for name in trial.shown}
        answers.append(Answer("L1", trial.id, values))
    assert [row[-1] for row in rows(join(test, answers, ["L1"]))] == [0.0, 1.0]


def test_only_the_kept_listeners_count():
    test = tiny_test()
    answers = [
        answer
        for listener in ("L1", "L2", "L3")
        for answer in all_answers(test, listener, lambda one, own=listener: int(own[1]))
        if test.trials[answer.trial].kind != ATTENTION
    ]
    ratings = join(test, answers, ["L3", "L1"])
    assert ratings.listeners == ("L1", "L3") and len(ratings) == 2 * 2 * 3
    assert set(ratings.value[ratings.listener == 1]) == {3.0}
    assert len(join(test, answers, [])) == 0


def test_rows_of_a_pair():
    test = tiny_test("ab", systems=("a", "b", "c"))
    ratings = join(test, all_answers(test, "L1", lambda one: test.stimuli[one].system), ["L1"])
    assert len(ratings) == 6 and ratings.value.tolist() == [1.0] * 6
    assert {row[3:5] for row in rows(ratings.of("a", "c"))} == {("a", "c")}
    assert len(ratings.of("a", "c")) == 2 and len(ratings.of("c", "a")) == 0


def test_answers_of_another_test_are_refused():
    test = tiny_test()
    trial = next(trial for trial in test.trials.values() if trial.kind == TRIAL)
    with pytest.raises(InputError, match="L1 has answered trial 'other'.*another test"):
        join(test, [Answer("L1", "other", {})], ["L1"])
    with pytest.raises(InputError, match="L1's answer.*6.* no whole number from 1 to 5.*another"):
        join(test, [Answer("L1", trial.id, {trial.shown[0]: 6.0})], ["L1"])
