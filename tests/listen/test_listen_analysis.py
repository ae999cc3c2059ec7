"""The whole analysis of tiny tests whose listeners have a known opinion."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from statsmodels.stats.multitest import multipletests
from tiny_test import answers_of, tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.analysis.analyse import WANTED, analyse, compared
from voiceconv.listen.analysis.comparisons import BINOMIAL, ITEMS, PREFERENCE, SIGNED_RANK
from voiceconv.listen.answers import Answer, Listener
from voiceconv.listen.manifest import ATTENTION, TRIAL
from voiceconv.listen.methods import METHODS

ITEMS_OF = [f"{direction}/{number}" for direction in ("F-M", "M-F") for number in range(6)]
WORTH = {
    "alpha": 0.3,
    "beta": 0.5,
    "gamma": 0.7,
    "reference": 1.0,
    "anchor35": 0.0,
    "anchor70": 0.2,
}
N_LISTENERS = 10


def answered(method, *, n_systems=3, checks_failed=0, spread=0.1, seed=0):
    """A test, ten listeners, and answers to all of it; the first of them fail their check."""
    systems = list(WORTH)[:n_systems]
    test = tiny_test(method, systems=systems, items=ITEMS_OF)
    rng = np.random.default_rng(seed)
    low, high = test.method.scale or (0, 1)

    def value(stimulus):
        worth = WORTH.get(test.stimuli[stimulus].system, 0.5)
        if test.method.is_choice:
            return worth + 3 * spread * rng.normal()
        noise = spread * rng.normal() if worth < 1 else 0.0
        return float(np.clip(np.rint(low + (high - low) * (worth + noise)), low, high))

    listeners, answers = [], []
    for number in range(N_LISTENERS):
        who = f"L{number}"
        listeners.append(
            Listener(who, number % 2, "2026-01-01", "2026-01-01", comment="Hm." * (number == 3))
        )
        for name, values in answers_of(test, number % 2, value).items():
            trial = test.trials[name]
            if trial.kind == ATTENTION:
                expected = {one: trial.expected.get(one, (0.0, 0.0))[0] for one in trial.shown}
                wrong = dict(zip(expected, [*expected.values()][::-1], strict=True))
                wrong = wrong if test.method.is_choice else dict.fromkeys(expected, 3.0)
                values = wrong if number < checks_failed else expected
            answers.append(
                Answer(who, name, values, comment="<b>" * (trial.kind == TRIAL and number == 4))
            )
    return test, listeners, answers


def values_of(test, answers, system):
    """All ratings of a system in trials that count."""
    return [
        value
        for answer in answers
        if test.trials[answer.trial].kind == TRIAL
        for stimulus, value in answer.values.items()
        if test.stimuli[stimulus].system == system
    ]


@pytest.mark.parametrize("method", ["mos", "similarity", "mushra"])
def test_ratings(method):
    test, listeners, answers = answered(method)
    found = analyse(test, listeners, answers)
    names = [name for name in test.systems if values_of(test, answers, name) and name != "check"]
    assert list(found.systems) == names and found.method == method and found.n_kept == 10
    for name, one in found.systems.items():
        values = values_of(test, answers, name)
        assert sorted(found.values[name]) == sorted(values)
        assert one.mean == pytest.approx(np.mean(values)) and one[3:] == (120, 10, 12)
        assert one.low <= one.mean <= one.high
        assert np.mean(found.listener_means[name]) == pytest.approx(one.mean)
        assert len(found.listener_means[name]) == 10
        halves = [found.directions[direction][name] for direction in ("F-M", "M-F")]
        assert [half[3:] for half in halves] == [(60, 10, 6)] * 2
        assert np.mean([half.mean for half in halves]) == pytest.approx(one.mean)
    pairs = [("alpha", "beta"), ("alpha", "gamma"), ("beta", "gamma")]
    assert [one[:2] for one in found.contrasts] == pairs
    assert [one[:3] for one in found.needed] == [(*pair, WANTED[method]) for pair in pairs]
    for one in found.contrasts:
        first, second = found.systems[one.first], found.systems[one.second]
        assert one.difference.mean == pytest.approx(second.mean - first.mean)
        assert one.test == SIGNED_RANK and one.n_pairs == 120
        # A difference of 0.2 of the scale, 10 x 12 pairs with a deviation of 0.14 of it
        assert one.p_holm < 0.001 and one.difference.low > 0
        assert one.beside[ITEMS] < 0.01
    assert found.notes == []


def test_preferences():
    test, listeners, answers = answered("ab")
    found = analyse(test, listeners, answers)
    assert list(found.systems) == ["alpha", "beta", "gamma"]
    assert sum(one.mean for one in found.systems.values()) == pytest.approx(0, abs=1e-9)
    assert [one.test for one in found.contrasts] == [PREFERENCE] * 3
    assert [one.p_holm for one in found.contrasts] == pytest.approx(
        multipletests([one.p for one in found.contrasts], method="holm")[1]
    )
    wins = {name: values_of(test, answers, name) for name in found.systems}
    assert {name: sorted(own) for name, own in found.values.items()} == {
        name: sorted(own) for name, own in wins.items()
    }
    # 3 systems' log-odds from 3 shares: those of neighbours are alike, of the ends' twice them
    share = found.contrasts[1].difference.mean
    apart = found.systems["gamma"].mean - found.systems["alpha"].mean
    assert apart == pytest.approx(np.log(share / (1 - share)), abs=0.5)
    assert found.needed[0].wanted == 0.1 and found.listener_means == {}


def test_of_listeners_who_always_prefer_the_same_no_strength_has_an_interval():
    test, listeners, answers = answered("ab", spread=0.0)
    found = analyse(test, listeners, answers)
    both = [found.systems, *found.directions.values()]
    assert len(both) == 3
    assert all(np.isnan([one.low, one.high]).all() for own in both for one in own.values())
    # The best wins 2 x 120.5 of 2 x 121: chances at one step of strength, and at two, come to that
    step = found.systems["gamma"].mean
    assert [one.mean for one in found.systems.values()] == pytest.approx([-step, 0, step])
    assert expit(step) + expit(2 * step) == pytest.approx(241 / 121, abs=1e-9)
    said = "A system, or a group of them, won or lost all comparisons"
    assert [note.partition(said)[0] for note in found.notes] == ["", "F-M: ", "M-F: "]
    assert all("They have no intervals" in note for note in found.notes)


def test_abx():
    test, listeners, answers = answered("abx", n_systems=2)
    found = analyse(test, listeners, answers)
    (one,) = found.contrasts
    k = sum(
        test.stimuli[chosen].system == test.stimuli[test.trials[answer.trial].x].system
        for answer in answers
        if test.trials[answer.trial].kind == TRIAL
        for chosen, value in answer.values.items()
        if value
    )
    assert one.test == BINOMIAL and one.difference.mean == pytest.approx(k / 120)
    assert one.p == pytest.approx(stats.binomtest(k, 120, alternative="greater").pvalue)
    assert (found.systems, found.directions, found.values) == ({}, {}, {})


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_figures(method):
    test, listeners, answers = answered(method)
    found, again = (analyse(test, listeners, answers, seed=3) for _ in range(2))
    turned = analyse(test, listeners, answers[::-1], seed=3)
    assert found == again
    for one, other in zip(found.contrasts, turned.contrasts, strict=True):
        assert other.difference == pytest.approx(one.difference, rel=1e-9)
        assert other.p == pytest.approx(one.p, rel=1e-6)


def test_who_fails_the_check_does_not_count_unless_told():
    test, listeners, answers = answered("mos", checks_failed=3)
    found = analyse(test, listeners, answers)
    assert [one.kept for one in found.screened] == [False] * 3 + [True] * 7 and found.n_kept == 7
    assert {one.n_listeners for one in found.systems.values()} == {7}
    kept = [one for one in answers if one.listener not in ("L0", "L1", "L2")]
    mean = np.mean(values_of(test, kept, "beta"))
    assert found.systems["beta"].mean == pytest.approx(mean)
    everybody = analyse(test, listeners, answers, screen=False)
    assert everybody.n_kept == 10 and everybody.systems["beta"].n_listeners == 10
    assert everybody.screened[0].reasons == found.screened[0].reasons != []


def test_comments_are_kept_as_they_are():
    test, listeners, answers = answered("mos")
    found = analyse(test, listeners, answers).comments
    assert found[-1] == ("L3", "", "Hm.")
    assert len(found) == 1 + 48 and {one[2] for one in found[:-1]} == {"<b>"}


def test_a_single_system_is_compared_with_the_reference():
    test, listeners, answers = answered("mos", n_systems=1)
    assert compared(test) == ["alpha", "reference"]
    (one,) = analyse(test, listeners, answers).contrasts
    assert one[:2] == ("alpha", "reference") and one.difference.mean > 2


def test_a_wanted_difference_of_half_the_size_needs_more_listeners():
    test, listeners, answers = answered("mos", spread=0.4)
    found = [analyse(test, listeners, answers, wanted=wanted).needed for wanted in (0.8, 0.4)]
    assert [one.wanted for one in found[1]] == [0.4] * 3
    assert all(a.n_listeners < (b.n_listeners or 1e9) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("method", "most"), [("mos", 4), ("similarity", 3), ("mushra", 100), ("ab", 0.5), ("abx", 0.5)]
)
def test_a_wanted_difference_is_one_that_there_can_be(method, most):
    test, listeners, answers = answered(method, n_systems=2)
    for wanted in (0.0, -0.1, most, 2.0 * most, np.inf, np.nan):
        said = f"a wanted difference of {wanted:g} is none .*above 0 and below {most:g}$"
        with pytest.raises(InputError, match=said):
            analyse(test, listeners, answers, wanted=wanted)
    (found,) = analyse(test, listeners, answers, wanted=0.98 * most).needed
    assert found.wanted == 0.98 * most and found.n_listeners >= 2


def test_one_sided_tests_are_planned_one_sided():
    """120 of 120 choices: 0.24 is what one varies by at a share of 60%."""
    numbers = {}
    for method in ("ab", "abx"):
        test, listeners, answers = answered(method, n_systems=2, spread=0.0)
        answers = [
            one._replace(values=dict.fromkeys(one.values, 0.0) | {right(test, one.trial): 1.0})
            for one in answers
        ]
        (found,) = analyse(test, listeners, answers).needed
        numbers[method] = found.n_listeners
    # 12 items: (1.96 + 0.84)^2 24 = 188 choices, and (1.64 + 0.84)^2 24 = 148
    assert numbers == {"ab": 16, "abx": 13}


def right(test, name):
    """What to choose: in a check what it expects, in ABX the system of X, else the better one."""
    trial = test.trials[name]
    systems = {test.stimuli[one].system: one for one in trial.shown}
    if trial.expected:
        return next(iter(trial.expected))
    return systems[test.stimuli[trial.x].system] if trial.x else systems["beta"]


def test_a_single_listeners_answers_have_no_interval_and_say_so():
    test, listeners, answers = answered("mos")
    found = analyse(test, listeners[:1], [one for one in answers if one.listener == "L0"])
    assert np.isnan(found.systems["beta"].low) and found.systems["beta"].n == 12
    assert {one.p for one in found.contrasts} == {1.0} and found.needed == []
    assert len(found.notes) == 1 and found.notes[0].startswith("A single listener's answers")


def test_nobody_to_analyse_is_said_with_a_remedy():
    test, listeners, answers = answered("mos", checks_failed=10)
    with pytest.raises(InputError, match="nobody has answered.*listen serve"):
        analyse(test, listeners, [])
    with pytest.raises(InputError, match="screening leaves none of 10 listeners"):
        analyse(test, listeners, answers)


def test_the_analysis_does_without_torch():
    script = (
        "import sys, voiceconv.listen.analysis.analyse\n"
        "print(sorted({'torch', 'matplotlib', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
