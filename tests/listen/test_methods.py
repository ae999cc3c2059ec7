"""What counts as an answer."""

import math

import pytest

from voiceconv.listen.methods import METHODS


def test_there_are_five():
    assert list(METHODS) == ["mos", "similarity", "ab", "abx", "mushra"]
    scales = {name: method.scale for name, method in METHODS.items()}
    assert scales == {
        "mos": (1, 5), "similarity": (1, 4), "ab": None, "abx": None, "mushra": (0, 100)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "shown", "values"),
    [
        ("mos", ["p"], {"p": 1}),
        ("mos", ["p"], {"p": 5.0}),
        ("similarity", ["p"], {"p": 4}),
        ("ab", ["p", "q"], {"p": 0, "q": 1}),
        ("abx", ["p", "q"], {"q": 0, "p": 1}),
        ("mushra", ["p", "q", "r"], {"r": 0, "p": 100, "q": 37}),
    ],
)
def test_answers(method, shown, values):
    METHODS[method].check(shown, values)


@pytest.mark.parametrize(
    ("method", "shown", "values", "said"),
    [
        ("mos", ["p"], {"p": 6}, "6 for p is no whole number from 1 to 5"),
        ("mos", ["p"], {"p": 0}, "0 for p"),
        ("mos", ["p"], {"p": 2.5}, "2.5 for p"),
        ("mos", ["p"], {"p": math.nan}, "nan for p"),
        ("mos", ["p"], {"p": math.inf}, "inf for p"),
        ("mos", ["p"], {}, r"values for \[\], where this trial asks for \['p'\]"),
        ("mos", ["p"], {"p": 3, "q": 3}, r"\['p', 'q'\], where"),
        ("similarity", ["p"], {"p": 5}, "from 1 to 4"),
        ("ab", ["p", "q"], {"p": 1, "q": 1}, r"not \[1, 1\]"),
        ("ab", ["p", "q"], {"p": 1}, "asks for"),
        ("abx", ["p", "q"], {"p": 0.5, "q": 0.5}, r"not \[0.5, 0.5\]"),
        ("mushra", ["p", "q"], {"p": 50, "q": 101}, "101 for q"),
    ],
)
def test_what_is_none(method, shown, values, said):
    with pytest.raises(ValueError, match=said):
        METHODS[method].check(shown, values)
