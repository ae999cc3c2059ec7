"""The table of scores: which figure is best, where its interval lies, what compares with what."""

import pytest
from tiny_run import PROTOCOL, direction, rows, scores

from voiceconv.metrics import MEASURES
from voiceconv.report import tables
from voiceconv.report.run import Direction


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (7.376, "dB", "7.38"),
        (0.79092, "cosine", "0.791"),
        (-23.04, "LUFS", "\N{MINUS SIGN}23.0"),
        (212.6, "cents", "213"),
        (3, "%", "3.0"),
        (1.0954, "", "1.095"),
        (float("nan"), "dB", "\N{EN DASH}"),
        (None, "dB", "\N{EN DASH}"),
        ("7", "dB", "\N{EN DASH}"),
    ],
)
def test_figures_have_the_decimals_of_their_unit(value, unit, text):
    assert tables.as_text(value, unit) == text


def best(measure: str, **means: float) -> list[str]:
    one = direction(**{name: rows(measure, [mean]) for name, mean in means.items()})
    return [row.name for row in tables.rows(one) if row.cells[0] and row.cells[0].best]


def test_the_best_is_the_lowest_or_the_highest_as_the_measure_has_it():
    assert MEASURES["mel_cepstral_distortion"].better == "lower"
    assert best("mel_cepstral_distortion", model=7.0, gmm=6.5, knn=8.0) == ["gmm"]
    assert best("speaker_similarity", model=0.8, gmm=0.7, knn=0.75) == ["model"]
    assert best("loudness", model=-20.0, gmm=-30.0) == []


def test_equal_means_are_both_the_best_and_none_is_where_all_are_equal():
    assert best("speaker_similarity", model=0.8, gmm=0.8, knn=0.7) == ["model", "gmm"]
    assert best("speaker_similarity", model=0.8, gmm=0.8) == []
    assert best("speaker_similarity", model=0.8) == []


def test_what_converts_nothing_is_never_the_best():
    found = best("dnsmos", model=2.0, statistics=1.5, target=4.0, unconverted=4.0, copy=3.0)
    assert found == ["model"]


def test_rows_are_the_model_the_ladder_others_and_the_anchors():
    names = ["target", "zebra", "knn", "unconverted", "statistics", "model", "copy"]
    one = direction(**{name: rows("dnsmos", [2.0]) for name in names})
    assert [row.name for row in tables.rows(one)] == [
        "model", "statistics", "knn", "zebra", "copy", "unconverted", "target",
    ]  # fmt: skip
    assert [row.is_anchor for row in tables.rows(one)] == [False] * 4 + [True] * 3


def test_columns_are_those_of_any_system_and_empty_cells_are_none():
    one = direction(model=rows("pesq", [2.0]), gmm=rows("dnsmos", [2.0]))
    one.systems["gmm"]["metrics"]["new_one"] = {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert tables.columns(one) == ["dnsmos", "pesq", "new_one"]
    model, gmm = tables.rows(one)
    assert [cell is not None for cell in model.cells] == [False, True, False]
    assert [cell is not None for cell in gmm.cells] == [True, False, True]


def test_intervals_lie_on_a_scale_from_the_lowest_end_to_the_highest():
    one = direction(model=rows("dnsmos", [2.0]), gmm=rows("dnsmos", [2.0]))
    one.systems["model"]["metrics"]["dnsmos"] |= {"mean": 2.0, "low": 1.0, "high": 3.0}
    one.systems["gmm"]["metrics"]["dnsmos"] |= {"mean": 4.0, "low": 3.5, "high": 5.0}
    places = [(c.left, c.dot, c.width) for row in tables.rows(one) for c in row.cells if c]
    assert places == [(0.0, 25.0, 50.0), (62.5, 75.0, 37.5)]


def test_verdicts_are_of_paired_differences():
    similarity, distortion = [0.8, 0.7, 0.9, 0.6], [7.0, 6.0, 8.0, 5.0]
    model, gmm = (
        {stem: rows("speaker_similarity", s)[stem] | rows("mel_cepstral_distortion", d)[stem]
         | {"dnsmos": q, "loudness": level} for stem, q in zip("abcd", quality, strict=True)}
        for s, d, quality, level in (
            (similarity, distortion, [1.0, 2.0, 1.0, 2.0], -20.0),
            ([x - 0.05 for x in similarity], [x - 0.5 for x in distortion], [2.0, 1.0, 2.0, 1.0],
             -30.0),
        )
    )  # fmt: skip
    protocol = PROTOCOL | {"dnsmos": {}}
    both = {"model": scores(model, protocol), "gmm": scores(gmm, protocol)}
    (found,) = tables.verdicts(Direction("ada", "bert", both))
    # every utterance is 0.05 nearer the target and 0.5 dB further off; DNSMOS differs by +-1
    assert (found.better, found.worse) == (["similarity"], ["MCD"])
    assert (found.unclear, found.refused) == (["DNSMOS"], None)


def test_unlike_protocols_do_not_compare():
    one = direction(model=rows("loudness", [1.0]) | {}, gmm=rows("loudness", [2.0]))
    one.systems["gmm"]["protocol"] = PROTOCOL | {"common": {"sample_rate": 8000}}
    (found,) = tables.verdicts(one)
    assert found.refused == "sample_rate is 8000, not 16000"
    assert (found.better, found.worse, found.unclear) == ([], [], [])


def test_other_utterances_and_a_broken_protocol_do_not_compare():
    one = direction(
        model=rows("speaker_similarity", [0.5]),
        gmm=rows("speaker_similarity", [0.5, 0.6]),
        knn=rows("speaker_similarity", [0.5]),
    )
    one.systems["knn"]["protocol"] = {}
    assert [(v.system, v.refused) for v in tables.verdicts(one)] == [
        ("gmm", "other utterances were scored"),
        ("knn", "its protocol is not whole"),
    ]


def test_without_scores_of_the_model_there_is_no_verdict():
    assert tables.verdicts(direction(gmm=rows("dnsmos", [2.0]))) == []


def test_what_was_not_run_is_grouped_by_reason():
    one = direction(model={}, gmm={})
    one.systems["model"]["not_run"] = {
        "pesq": "no originals",
        "stoi": "no originals",
        "dnsmos": "x",
    }
    one.systems["gmm"]["not_run"] = {"pesq": "no originals", "stoi": "no originals"}
    assert tables.not_run(one) == [
        ("PESQ, STOI", "no originals"),
        ("DNSMOS for model", "x"),
    ]


def test_a_protocol_is_shown_once_for_measures_that_share_it():
    stamp = {
        "common": {"seed": 0},
        "inputs": {"reference": {"a": "1f", "b": "2e"}, "target_train": "3d"},
        "log_f0_rmse": {"f0": "dio"},
        "dnsmos": {},
        "voicing_error": {"f0": "dio"},
    }
    assert tables.protocol(scores({}, stamp)) == {
        "common": {"seed": 0},
        "inputs": {
            "reference": "2 recordings, a digest of each in the scores",
            "target_train": "3d",
        },
        "log F0 RMSE, voicing error": {"f0": "dio"},
        "DNSMOS": {},
    }
