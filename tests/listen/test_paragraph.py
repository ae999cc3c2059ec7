"""The text for a paper, word for word, and what must never be claimed in it."""

from dataclasses import replace

import pytest
from made import contrast, estimate, hand_made, kept
from tiny_test import tiny_test

from voiceconv.listen.analysis.analyse import Screened
from voiceconv.listen.analysis.comparisons import ALIGNED_RANK
from voiceconv.listen.reporting.paragraph import paragraph, results

MEANS = {
    "alpha": estimate(2.5, 2.31, 2.69),
    "beta": estimate(3.125, 2.9, 3.35),
    "reference": estimate(4.75, 4.6, 4.9),
}

BOOTSTRAP = (
    "a symmetric bootstrap-t over listeners and items (2,000 draws), at least as wide as Student's"
)


def test_mean_opinion_scores():
    higher = contrast("mos", "alpha", "beta", estimate(0.625, 0.42, 0.83), 0.0029)
    failed = ["1 of 3 attention checks failed", "3 of 3 attention checks failed"]
    made = hand_made("mos", MEANS, [higher], kept(21, *failed, "1 of 3 attention checks failed"))
    assert paragraph(made) == (
        "Twenty-four listeners took part, of whom three were screened out for failed attention "
        "checks. "
        "Each listener rated each stimulus on the five-point absolute category rating scale of "
        "ITU-T P.800 (1 bad, 2 poor, 3 fair, 4 good, 5 excellent). "
        "The stimuli were two items (in two directions) by two systems (alpha and beta) and, not "
        "under test, the reference, all at −26 LUFS (ITU-R BS.1770) and 16 kHz. "
        "Each listener got six trials, with one for training before and one to check attention in "
        "between; systems and the order that they come in are balanced, by Williams squares, over "
        "two lists, of which each listener got one. "
        "Square brackets hold 95% intervals, by a symmetric bootstrap-t over listeners and items "
        "(2,000 draws), at least as wide as Student's. "
        "Systems were compared by a Wilcoxon signed-rank test of ratings by the same listener of "
        "the same item, clustered by listeners and items. Their differences are those of a "
        "least-squares fit of listener, item and system. "
        "The mean ratings were 3.12 [2.90, 3.35] for beta and 2.50 [2.31, 2.69] for alpha, and "
        "4.75 [4.60, 4.90] for reference. "
        "Compared with each other, beta was rated 0.62 [0.42, 0.83] higher than alpha (p = 0.003)."
    )


def test_one_listener_gets_neither_interval_nor_test():
    means = {"alpha": estimate(2.5, n_listeners=1), "beta": estimate(3.0, n_listeners=1)}
    made = hand_made(
        "mos",
        means,
        [contrast("mos", "alpha", "beta", estimate(0.5, n_listeners=1), 1.0)],
        kept(1),
        tiny_test("mos", checks=False, training=False, n_lists=1, items=["one"]),
    )
    assert paragraph(made) == (
        "One listener took part. "
        "Each listener rated each stimulus on the five-point absolute category rating scale of "
        "ITU-T P.800 (1 bad, 2 poor, 3 fair, 4 good, 5 excellent). "
        "The stimuli were one item by two systems (alpha and beta) and, not under test, the "
        "reference, all at −26 LUFS (ITU-R BS.1770) and 16 kHz. "
        "Each listener got three trials. "
        "Of a single listener there are no intervals. "
        "The mean ratings were 3.00 for beta and 2.50 for alpha. "
        "Without a test, the mean of the second less that of the first was 0.50 for alpha and beta."
    )


def test_preferences():
    strengths = {
        "alpha": estimate(-1, -1.2, -0.8),
        "beta": estimate(0.25, 0.05, 0.45),
        "gamma": estimate(0.75, 0.55, 0.95),
    }
    made = hand_made(
        "ab",
        strengths,
        [
            contrast("ab", "alpha", "beta", estimate(0.75, 0.7, 0.8), 0.0001),
            contrast("ab", "alpha", "gamma", estimate(0.25, 0.2, 0.3), 0.02),
            contrast("ab", "beta", "gamma", estimate(0.55, 0.44, 0.66), 0.3),
        ],
        test=replace(tiny_test("ab", systems=list(strengths)), question="Which is nicer?"),
    )
    assert paragraph(made).startswith(
        "Twenty listeners took part. Each listener chose one of two stimuli (forced choice), being "
        "asked “Which is nicer?”. The stimuli were two items (in two directions) by three systems "
        "(alpha, beta and gamma), all at −26 LUFS"
    )
    assert paragraph(made).endswith(
        "Systems were compared by a two-sided t-test of the share of choices, clustered by "
        "listeners and items, whose p is at least that of the exact binomial test of as many "
        "independent choices, with Holm's correction for three comparisons. "
        "The Bradley-Terry strengths were 0.75 [0.55, 0.95] for gamma, 0.25 [0.05, 0.45] for beta "
        "and −1.00 [−1.20, −0.80] for alpha. "
        "Compared with each other, beta was preferred to alpha in 75% [70%, 80%] of the choices "
        "(p < 0.001); alpha was preferred to gamma in 75% [70%, 80%] of the choices (p = 0.020). "
        "No significant preference was found between beta and gamma (gamma in 55% [44%, 66%] of "
        "the choices, p = 0.300)."
    )


def test_strengths_without_intervals_say_why():
    means = {"alpha": estimate(-2.5), "beta": estimate(0), "gamma": estimate(2.5)}
    said = results(hand_made("ab", means, [], test=tiny_test("ab", systems=list(means))))
    assert said == [
        "The Bradley-Terry strengths were 2.50 for gamma, 0.00 for beta and −2.50 for alpha; they "
        "have no intervals, for half a choice either way was added to every pair, as a system, or "
        "a group of them, won or lost all comparisons with the others."
    ]


def test_abx():
    told = contrast("abx", "alpha", "beta", estimate(0.75, 0.62, 0.88), 0.004)
    guessed = contrast("abx", "alpha", "gamma", estimate(0.5, 0.4, 0.6), 0.55)
    assert results(hand_made("abx", {}, [told, guessed])) == [
        "Compared with each other, alpha and beta were told apart in 75% [62%, 88%] of the trials "
        "(p = 0.004).",
        "The answers were not significantly better than guesses for alpha and gamma (50% "
        "[40%, 60%] correct, p = 0.550).",
    ]


def test_a_single_listener_of_abx_is_tested_without_an_interval():
    one = contrast("abx", "alpha", "beta", estimate(1.0, n_listeners=1), 0.004)
    said = paragraph(hand_made("abx", {}, [one], kept(1)))
    assert (
        "Of a single listener there are no intervals. Systems were compared by a one-sided" in said
    )
    assert said.endswith("alpha and beta were told apart in 100% of the trials (p = 0.004).")


def test_mushra_names_what_stands_beside_the_systems():
    low = "hidden reference below 90 in 3 of 6 trials"
    high = "mid-range anchor above 90 in 2 of 6 trials"
    means = {"alpha": estimate(51.26, 48, 54.44), "anchor35": estimate(20, 18, 22)}
    test = tiny_test("mushra")
    filtered = replace(test.systems["anchor35"], made={"pass_edge": 3500.0})
    test = replace(test, systems={**test.systems, "anchor35": filtered})
    said = paragraph(hand_made("mushra", means, [], kept(10, low, high, low), test))
    assert said.startswith(
        "Thirteen listeners took part, of whom three were screened out (two for rating the hidden "
        "reference below 90 in more than 15% of the trials and one for rating the mid-range anchor "
        "above 90 in more than 15% of the trials). Each listener rated all stimuli of an item side "
        "by side, from 0 to 100, against the open reference (MUSHRA, ITU-R BS.1534-3). "
    )
    assert (
        "and, not under test, the hidden reference, anchor35 (the reference up to 3.5 kHz) and "
        "anchor70, all at" in said
    )
    assert said.endswith(
        "The mean rating was 51.3 [48.0, 54.4] for alpha, and 20.0 [18.0, 22.0] for anchor35."
    )


def test_what_is_balanced_in_mushra_is_counted():
    """Two items in two rotated lists each stand at either place once; in three lists they don't."""
    for n_lists, what in (
        (2, "the places of items and the orders of the stimuli in a trial"),
        (3, "the orders of the stimuli in a trial"),
    ):
        said = paragraph(hand_made("mushra", {}, [], test=tiny_test("mushra", n_lists=n_lists)))
        assert f"; {what} are balanced, by Williams squares, over" in said


def test_who_is_kept_and_who_is_not_is_counted():
    def said(*screened: Screened) -> str:
        return paragraph(hand_made("mos", MEANS, [], list(screened))).split(". ")[0]

    good, idle = Screened("a", 24, True, []), Screened("b", 0, False, ["no trial answered"])
    short = Screened("c", 7, True, ["stopped after 7 of 24 trials"])
    spared = Screened("d", 24, True, ["2 of 2 attention checks failed", "stopped after 3 of 4"])
    odd = Screened("e", 24, False, ["for another reason"])
    assert said(good, idle) == "One listener took part; one more began and answered no trial"
    assert said(good, short) == (
        "Two listeners took part; one stopped early and counts with the answers given"
    )
    assert said(spared) == (
        "One listener took part; no screening was done, which would have left out one; one stopped "
        "early and counts with the answers given"
    )
    assert said(good, odd) == (
        "Two listeners took part, of whom one was screened out for another reason"
    )


def test_what_is_not_significant_is_not_called_equal():
    same = contrast("similarity", "alpha", "beta", estimate(-0.004, -0.2, 0.19), 0.97)
    other = contrast("similarity", "alpha", "gamma", estimate(-0.3, -0.5, -0.1), 0.0004)
    found = results(hand_made("similarity", {}, [same, other]))
    assert found == [
        "Compared with each other, alpha was rated 0.30 [0.10, 0.50] higher than gamma "
        "(p < 0.001).",
        "No significant difference was found between alpha and beta (beta less alpha: 0.00 "
        "[−0.20, 0.19], p = 0.970).",
    ]


@pytest.mark.parametrize(
    ("n_listeners", "n_items", "by"),
    [
        (6, 6, BOOTSTRAP),
        (20, 1, BOOTSTRAP),
        (5, 12, "Student's t on the variances of listeners, items and residuals, as there are "
         "fewer than six listeners or items"),
    ],
)  # fmt: skip
def test_intervals_are_said_to_be_what_they_are(n_listeners, n_items, by):
    means = {"alpha": estimate(3, 2, 4, n_listeners, n_items)}
    said = paragraph(hand_made("mos", means, [], kept(n_listeners)))
    assert f"Square brackets hold 95% intervals, by {by}. The mean rating was 3.00" in said


def test_different_tests_are_both_named():
    paired = contrast("mos", "alpha", "beta", estimate(0.1, -0.2, 0.4), 0.4)
    aligned = contrast("mos", "alpha", "gamma", estimate(0.1, -0.2, 0.4), 0.4, ALIGNED_RANK)
    said = paragraph(hand_made("mos", {}, [paired, aligned]))
    assert (
        "of the same item, clustered by listeners and items and by a Wilcoxon test of ratings "
        "less the effects of listener and item, clustered by listeners and items, with Holm's "
        "correction for two comparisons." in said
    )


def test_a_single_system_is_compared_with_the_reference():
    less = contrast("mos", "alpha", "reference", estimate(2.25, 2.0, 2.5), 0.001)
    test = tiny_test("mos", systems=["alpha"])
    means = {name: MEANS[name] for name in ("alpha", "reference")}
    said = paragraph(hand_made("mos", means, [less], test=test))
    assert "two items (in two directions) by one system (alpha) and the reference, all at" in said
    assert said.endswith("reference was rated 2.25 [2.00, 2.50] higher than alpha (p = 0.001).")


def test_shares_have_intervals_of_their_own():
    said = paragraph(
        hand_made("abx", {}, [contrast("abx", "a", "b", estimate(0.7, 0.6, 0.8), 0.01)])
    )
    assert (
        "(2,000 draws), at least as wide as Student's; those of shares are at least as wide as "
        "Wilson's of as many independent choices. Systems were compared by a one-sided "
        "exact binomial test against guessing. " in said
    )
