"""Which utterances come first, and which are shown."""

import numpy as np
from tiny_run import direction, rows

from voiceconv.report.utterances import choose, similarity_scatter, values, worst_first, worst_table


def test_the_worst_has_the_highest_mean_rank():
    found = {
        "a": {"speaker_similarity": 0.9, "mel_cepstral_distortion": 8.0},  # ranks 0 and 3 of 3
        "b": {"speaker_similarity": 0.5, "mel_cepstral_distortion": 7.5},  # 3 and 2
        "c": {"speaker_similarity": 0.8, "mel_cepstral_distortion": 5.0},  # 1 and 0
        "d": {"speaker_similarity": 0.7, "mel_cepstral_distortion": 6.0},  # 2 and 1
    }
    assert worst_first(direction(model=found)) == ["b", "a", "d", "c"]


def test_an_utterance_without_one_figure_counts_as_a_middling_one_without_any_as_the_worst():
    found = {
        "a": {"dnsmos": 3.0, "character_error": 10.0},  # ranks 1/6 and 1/4
        "b": {"dnsmos": 2.0},  # 3/6, and the middle
        "c": {"dnsmos": 1.0, "character_error": 20.0},  # 5/6 and 3/4
        "silent": {},
    }
    assert worst_first(direction(model=found)) == ["silent", "c", "b", "a"]


def test_figures_that_judge_nothing_leave_the_order_of_names():
    assert worst_first(direction(model=rows("loudness", [1.0, 9.0, 3.0]))) == ["a", "b", "c"]


def test_half_of_the_shown_are_the_worst_and_half_stand_at_fixed_places():
    one = direction(model=rows("dnsmos", range(1, 13)))  # a is the worst
    assert [chosen.stem for chosen in choose(one, 6)] == ["a", "b", "c", "d", "g", "j"]
    other = direction(model=rows("dnsmos", range(12, 0, -1)))
    assert [chosen.stem for chosen in choose(other, 6)] == ["l", "k", "i", "d", "g", "j"]
    assert [chosen.reason for chosen in choose(other, 6)][2:4] == [
        "no. 4 of the worst",
        "fixed; no. 9 of 12",
    ]


def test_at_most_as_many_as_there_are_and_none_where_none_is_wanted():
    one = direction(model=rows("dnsmos", [3.0, 1.0, 2.0]))
    assert sorted(chosen.stem for chosen in choose(one, 9)) == ["a", "b", "c"]
    assert [chosen.stem for chosen in choose(one, 1)] == ["b"]
    assert choose(one, 0) == []
    assert choose(direction(gmm=rows("dnsmos", [1.0])), 6) == []


def test_the_table_holds_all_with_the_places_that_show_them():
    one = direction(model=rows("speaker_similarity", [0.75, 0.5]) | {"c": {}})
    table = worst_table(one, {"b": "ada-bert.b"})
    assert [measure.title for measure in table["columns"]] == ["similarity"]
    assert [(row["stem"], row["place"], row["figures"]) for row in table["rows"]] == [
        ("c", None, ["\N{EN DASH}"]),
        ("b", "ada-bert.b", ["0.500"]),
        ("a", None, ["0.750"]),
    ]


def test_values_are_in_the_order_of_names_with_nan_for_none():
    one = direction(model={"b": {"dnsmos": 2.0}, "a": {"dnsmos": 1.0}, "c": {"dnsmos": None}})
    np.testing.assert_equal(values(one, "dnsmos"), [1.0, 2.0, np.nan])


def test_the_scatter_shows_where_voices_came_from_and_went():
    pair = {"speaker_similarity": 0.75, "source_similarity": 0.5}
    one = direction(model={"a": pair}, unconverted={"a": pair}, gmm={"a": pair})
    picture = str(similarity_scatter(one))
    assert "medians 0.750 and 0.500; the worst are a" in picture
    assert ">converted<" in picture and ">unconverted<" in picture and ">gmm<" not in picture
    assert ">similarity to source, cosine<" in picture


def test_mcd_stands_in_for_the_similarity_to_the_source():
    pair = {"speaker_similarity": 0.75, "mel_cepstral_distortion": 7.0}
    assert ">MCD, dB<" in str(similarity_scatter(direction(model={"a": pair})))
    assert similarity_scatter(direction(model={"a": {"speaker_similarity": 0.75}})) is None
