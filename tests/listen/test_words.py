"""Numbers and names as they are written."""

import pytest
from made import NAN, estimate

from voiceconv.listen.reporting import words


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "zero"), (1, "one"), (13, "thirteen"), (20, "twenty"), (21, "twenty-one"),
     (99, "ninety-nine"), (100, "100"), (1234, "1,234")],
)  # fmt: skip
def test_numbers_in_words(n, said):
    assert words.in_words(n) == said


def test_counts_have_the_right_noun():
    assert [words.count(n, "item") for n in (1, 2)] == ["one item", "two items"]
    assert [words.plural(n, "item") for n in (1, 1200)] == ["1 item", "1,200 items"]


@pytest.mark.parametrize(("parts", "said"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_lists(parts, said):
    assert words.listed(list(parts)) == said


def test_figures_have_a_true_minus_and_no_negative_zero():
    assert words.two_decimals(-0.456) == "−0.46"
    assert words.two_decimals(-0.004) == "0.00"
    assert words.one_decimal(51.26) == "51.3"
    assert words.percent(0.456) == "46%"


def test_an_interval_that_is_not_there_is_not_written():
    assert words.with_interval(estimate(0.5, -0.25, 1.25), words.two_decimals) == (
        "0.50 [−0.25, 1.25]"
    )
    assert words.with_interval(estimate(0.5, NAN, NAN), words.two_decimals) == "0.50"


def test_p():
    assert [words.p_value(p) for p in (0.00049, 0.0012, 0.05, 1.0)] == [
        "p < 0.001", "p = 0.001", "p = 0.050", "p = 1.000",
    ]  # fmt: skip


def test_long_names_lose_their_middle():
    assert words.shortened("statistics", 10) == "statistics"
    assert words.shortened("statistics", 7) == "sta…ics"
    assert words.shortened("one two three", 8) == "one…ree"
    assert words.paired("alpha", "or", "beta", 13) == "alpha or beta"
    assert words.paired("a" * 40, "or", "beta", 20) == "aaaaaa…aaaaa or beta"
    assert words.paired("a" * 40, "or", "b" * 40, 20) == "aaaa…aaa or bbbb…bbb"
