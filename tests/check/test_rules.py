"""Each rule on figures at both sides of its limit."""

import dataclasses
import math

import numpy as np
import pytest

from voiceconv.check.corpus import UNLISTED, Item
from voiceconv.check.evidence import Evidence, Needs, usual_rate
from voiceconv.check.fingerprint import Fingerprint
from voiceconv.check.measure import Measurements
from voiceconv.check.rules import apply_rules, octave_share, same_recording
from voiceconv.data.kaldi import Utterance

FINE = Measurements(
    seconds=4.0, sample_rate=24000, peak=0.5, clipped=0.0, dc=0.0, dc_ratio=0.0, loudness=-23.0,
    noise=-80.0, snr=50.0, silence=0.2, lead=0.1, tail=0.1, f0=np.full(200, 150.0, np.float32),
    octave_jumps=0, fingerprint=Fingerprint(np.zeros(0, np.uint32), np.zeros(0, bool)),
)  # fmt: skip
ENOUGH = Needs(minutes=0.0)


def item(name, speaker="ann", split=""):
    return Item(Utterance(f"{speaker}-{name}", speaker, f"{name}.flac"), split)


def evidence(*changes, needs=ENOUGH, speaker="ann", unreadable=(), matches=()):
    """Nine fine utterances, and one for each dictionary of changes."""
    measured = {item(f"fine{n}", speaker): FINE for n in range(9)}
    measured |= {
        item(f"bad{n}", speaker): dataclasses.replace(FINE, **change)
        for n, change in enumerate(changes)
    }
    return Evidence(measured, dict(unreadable), list(matches), needs)


def found(given):
    return {(f.rule, f.speaker): [c.item.utterance.id for c in f.cases] for f in apply_rules(given)}


def test_fine_data_have_no_findings():
    assert apply_rules(evidence()) == []


@pytest.mark.parametrize(
    ("rule", "bad", "fine"),
    [
        ("channels", {"mixing": "channel 1 left out (mains hum)"}, {"mixing": ""}),
        ("mixed rates", {"sample_rate": 16000}, {"sample_rate": 24000}),
        ("clipping", {"clipped": 1.1e-4}, {"clipped": 1e-4}),
        ("DC", {"dc": 0.01, "dc_ratio": 0.11}, {"dc": 0.01, "dc_ratio": 0.1}),
        ("quiet utterances", {"loudness": -35.1}, {"loudness": -35.0}),
        ("noisy utterances", {"snr": 19.9}, {"snr": 20.0}),
        ("silence", {"silence": 0.61}, {"silence": 0.6}),
        ("too short", {"seconds": 0.83}, {"seconds": 0.85}),  # less 0.2 s of silence
        ("too long", {"seconds": 30.3}, {"seconds": 30.2}),
        ("octave errors", {"octave_jumps": 4}, {"octave_jumps": 2}),  # in 2 voiced seconds
        ("octave errors", {"f0": np.float32([75.0] * 101 + [150.0] * 99)},
         {"f0": np.float32([75.0] * 100 + [150.0] * 100)}),
    ],
)  # fmt: skip
def test_utterances_at_both_sides_of_a_limit(rule, bad, fine):
    assert found(evidence(bad, fine)) == {(rule, "ann"): ["ann-bad0"]}


def test_leaps_count_by_the_voiced_second():
    """Three in two seconds is the limit; a long recording may have more."""
    assert found(evidence({"octave_jumps": 3})) == {}
    long = {"octave_jumps": 9, "f0": np.full(600, 150.0, np.float32)}
    assert found(evidence(long)) == {}


def test_worst_comes_first_and_figures_are_the_measured_ones():
    (finding,) = apply_rules(evidence({"clipped": 0.01}, {"clipped": 0.03}, {"clipped": 0.02}))
    names = [case.item.utterance.id for case in finding.cases]
    assert names == ["ann-bad1", "ann-bad2", "ann-bad0"]
    assert [case.figure for case in finding.cases] == pytest.approx([3.0, 2.0, 1.0])
    assert (finding.figure, finding.unit, finding.limit) == (3.0, "% of samples", 0.01)
    assert not finding.is_mendable


@pytest.mark.parametrize(
    ("rule", "change", "median"),
    [("low level", {"loudness": -31.0}, -31.0), ("noise", {"snr": 30.0}, 30.0)],
)
def test_a_speakers_fault_is_one_finding(rule, change, median):
    (finding,) = apply_rules(evidence(*[change] * 12))
    assert (finding.rule, finding.speaker, finding.figure) == (rule, "ann", median)
    assert not finding.is_of_utterances and len(finding.cases) == 3


def test_quiet_is_said_of_an_utterance_only_below_the_level_that_matters():
    """12 LU below the speaker's others, but still at -28."""
    loud = {item(f"loud{n}"): dataclasses.replace(FINE, loudness=-14.0) for n in range(9)}
    quiet = {item("quiet"): dataclasses.replace(FINE, loudness=-28.0)}
    assert found(Evidence(loud | quiet, {}, [], ENOUGH)) == {}


def test_short_pieces_say_nothing_of_noise():
    given = evidence({"snr": 5.0, "seconds": 0.6})
    assert found(given) == {("too short", "ann"): ["ann-bad0"]}


def test_silence_inside_cannot_be_mended():
    at_the_ends = {"seconds": 10.0, "silence": 0.7, "lead": 3.0, "tail": 4.0}
    inside = {"seconds": 10.0, "silence": 0.7, "lead": 0.0, "tail": 0.0}
    (finding,) = apply_rules(evidence(at_the_ends))
    assert finding.is_mendable
    (finding,) = apply_rules(evidence(inside))
    assert not finding.is_mendable


def test_digital_silence_is_found_and_breaks_nothing():
    silent = {"loudness": -math.inf, "noise": -math.inf, "snr": math.inf, "silence": 1.0,
              "lead": 4.0, "tail": 0.0, "f0": np.zeros(0, np.float32)}  # fmt: skip
    assert found(evidence(silent)).keys() == {("silence", "ann"), ("too short", "ann")}


def test_unreadable_files_are_named_with_the_reason():
    given = evidence(unreadable={item("broken"): "broken.flac is empty"})
    (finding,) = apply_rules(given)
    assert (finding.rule, finding.figure, finding.is_mendable) == ("unreadable", 1, True)
    assert finding.cases[0].note == "broken.flac is empty"


def test_a_rate_below_the_experiments():
    given = evidence(needs=Needs(sample_rate=44100, minutes=0.0))
    (finding,) = apply_rules(given)
    assert (finding.rule, finding.figure, finding.limit) == ("rate too low", 24000, 44100)
    assert found(evidence(needs=Needs(sample_rate=24000, minutes=0.0))) == {}


def test_too_little_counts_what_can_be_trained_on():
    train = {item(f"t{n}", split="train"): FINE for n in range(79)}  # 79 of 3.8 s are 5.003 minutes
    rest = {item("v", split="val"): FINE, item("x", split=UNLISTED): FINE}
    assert found(Evidence(train | rest, {}, [])) == {}
    del train[item("t0", split="train")]
    (finding,) = apply_rules(Evidence(train | rest, {}, []))
    assert (finding.rule, finding.speaker) == ("too little data", "ann")
    assert finding.figure == pytest.approx(78 * 3.8 / 60)
    assert found(Evidence(train, {}, [], Needs(crop_seconds=4.0))).keys() == {
        ("too short", "ann"), ("too little data", "ann"),
    }  # fmt: skip


def same(first, second, others=()):
    items = [first, second, *others]
    given = Evidence(dict.fromkeys(items, FINE), {}, [(first, second, 0.1)], ENOUGH)
    return [(f.rule, f.cases[0].item, f.cases[0].note) for f in same_recording(given)]


def test_of_a_leak_the_training_copy_is_named():
    train, test = item("a", split="train"), item("z", split="test")
    assert same(train, test) == [("leak", train, "is test/ann-z")]
    val = item("a", split="val")
    assert same(val, test) == [("leak", val, "is test/ann-z")]


def test_within_a_split_and_outside_of_the_splits_it_is_a_duplicate():
    one, other = item("a", split="train"), item("b", split="train")
    assert same(other, one) == [("duplicate", other, "is train/ann-a")]
    paired = item("z", split="paired")  # trained on, too
    assert same(paired, one) == [("duplicate", paired, "is train/ann-a")]
    unlisted = item("a", split=UNLISTED)
    assert same(unlisted, other) == [("duplicate", unlisted, "is train/ann-b")]


def test_a_recording_of_two_others_is_named_and_these_stay():
    whole, one, other = item("b"), item("a"), item("c")
    matches = [(whole, one, 0.1), (whole, other, 0.1)]
    given = Evidence(dict.fromkeys((whole, one, other), FINE), {}, matches, ENOUGH)
    (finding,) = same_recording(given)
    assert [case.item for case in finding.cases] == [whole]


def voices(n_strange):
    """Two speakers at right angles; some of ann's are near bob's."""
    axes = {"ann": np.array([1.0, 0.0]), "bob": np.array([0.0, 1.0])}
    measured = {
        item(f"{n}", speaker): dataclasses.replace(FINE, embedding=axis)
        for speaker, axis in axes.items()
        for n in range(20)
    }
    for n in range(n_strange):
        measured[item(f"strange{n}")] = dataclasses.replace(FINE, embedding=np.array([0.6, 0.8]))
    return measured


def test_mislabelled_by_hand():
    assert found(Evidence(voices(0), {}, [], ENOUGH)) == {}
    (finding,) = apply_rules(Evidence(voices(2), {}, [], ENOUGH))
    assert (finding.rule, finding.speaker, len(finding.cases)) == ("mislabelled", "ann", 2)
    mean = np.array([20 + 2 * 0.6, 2 * 0.8])
    mean /= np.linalg.norm(mean)
    assert finding.figure == pytest.approx(0.8 - mean @ [0.6, 0.8])
    assert finding.cases[0].note == "sounds like bob"


def test_a_speaker_of_few_utterances_has_no_mean_to_be_near_to():
    measured = voices(1)
    few = {i: m for i, m in measured.items() if i.utterance.id.startswith("ann")}
    few |= {i: m for i, m in measured.items() if i.utterance.id in ("bob-0", "bob-1")}
    assert found(Evidence(few, {}, [], ENOUGH)) == {}


def test_of_a_copy_under_the_wrong_speaker_the_right_one_stays():
    measured = voices(1)
    strange, right = item("strange0"), item("zz", "bob")
    measured[right] = dataclasses.replace(FINE, embedding=np.array([0.6, 0.8]))
    given = Evidence(measured, {}, [(strange, right, 0.0)], ENOUGH)
    (finding,) = same_recording(given)
    assert finding.cases[0].item == strange  # by the names alone it would be the other


def test_usual_rate_is_that_of_most_of_the_sound():
    measured = {
        item("a"): dataclasses.replace(FINE, sample_rate=16000, seconds=10.0),
        item("b"): dataclasses.replace(FINE, sample_rate=24000, seconds=6.0),
        item("c"): dataclasses.replace(FINE, sample_rate=24000, seconds=6.0),
    }
    assert usual_rate(Evidence(measured, {}, [])) == 24000
    assert usual_rate(Evidence({}, {}, [])) == 0


def test_octave_share_by_hand():
    f0 = np.float32([100, 200, 50, 71, 90, 400])
    # 200 and 50 are an octave off; 71 is half of one, 400 are two.
    assert octave_share(f0, 100.0) == pytest.approx(2 / 6)
