"""Which frames count, which belong together, and what a protocol refuses."""

import numpy as np
import pytest
from test_mel_cepstral_distortion import vowel

from voiceconv.metrics.analysis import (
    Analysis,
    MelCepstralProtocol,
    analyse,
    find_f0,
    loud,
    pair,
    pyworld,
)
from voiceconv.metrics.wave_input import condition


def analysis(power, f0, c1, **protocol) -> Analysis:
    cepstra = np.stack([np.log(power), np.asarray(c1, float)], axis=1)
    chosen = MelCepstralProtocol(order=1, **protocol)
    return Analysis(np.asarray(f0, float), cepstra, np.asarray(power, float), chosen)


def test_loud_counts_forty_decibels_of_power():
    power = np.array([1.0, 1.01e-4, 0.99e-4, 0.0])
    assert loud(power).tolist() == [True, True, False, False]
    assert loud(power, 39.0).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("silence", "counted", "span"),
    [
        ("loud", [False, True, True, True, False], slice(1, 4)),
        ("voiced", [False, False, True, False, True], slice(2, 5)),
        ("none", [True] * 5, slice(0, 5)),
    ],
)
def test_the_rule_of_silence(silence, counted, span):
    one = analysis([1e-6, 1, 1, 1, 1e-6], [0, 0, 100, 0, 100], [0, 1, 2, 3, 4], silence=silence)
    assert one.counted.tolist() == counted
    assert one.span == span
    assert one.frames.tolist() == [[0], [1], [2], [3], [4]]


def test_how_loud_is_loud_is_the_protocols_to_say():
    levels = [1, 1e-3, 1e-5, 1e-7]
    assert analysis(levels, [0] * 4, [0] * 4, dynamic_range=20.0).counted.sum() == 1
    assert analysis(levels, [0] * 4, [0] * 4, dynamic_range=60.0).counted.sum() == 3


def test_c0_counts_where_the_protocol_says_so():
    one = analysis([1.0, np.e], [0, 0], [5, 6], with_c0=True)
    np.testing.assert_allclose(one.frames, [[0, 5], [1, 6]], atol=1e-15)


def test_the_path_has_the_numbers_of_the_recordings_frames():
    # Frames 1, 2 and 3 of the one count, 0, 2 and 3 of the other: alike one by one.
    first = analysis([1e-9, 1, 1, 1], [0] * 4, [9, 1, 2, 3])
    second = analysis([1, 1e-9, 1, 1], [0] * 4, [1, 9, 2, 3])
    assert pair(first, second).path.tolist() == [[1, 0], [2, 2], [3, 3]]


def test_nothing_counts_and_there_is_no_path():
    whisper = analysis([1, 1], [0, 0], [1, 2], silence="voiced")
    aligned = pair(whisper, whisper)
    assert aligned.path.shape == (0, 2)
    assert whisper.span == slice(0, 0)


def test_unlike_protocols_have_no_pair():
    with pytest.raises(ValueError, match="order=1.*order=1.*do not compare"):
        pair(analysis([1], [0], [0]), analysis([1], [0], [0], with_c0=True))


@pytest.mark.parametrize("search", ["dio", "harvest"])
def test_f0_of_a_buzz(search):
    f0, times = find_f0(vowel(120.0), search)
    assert times[:3].tolist() == pytest.approx([0, 0.005, 0.01])
    assert np.median(f0[f0 > 0]) == pytest.approx(120, rel=0.01)


def test_analysis_has_a_frame_every_five_milliseconds_and_the_order_asked_for():
    wave = vowel(120.0, 0.3)
    one = analyse(wave, MelCepstralProtocol(order=13, alpha=0.3))
    assert one.cepstra.shape == (4800 // 80 + 1, 14) and one.f0.shape == one.power.shape == (61,)
    # Level is c0's alone, and is scaled away.
    np.testing.assert_allclose(analyse(0.25 * wave, one.protocol).cepstra, one.cepstra, atol=1e-6)


def test_analysis_is_of_the_order_alpha_and_f0_asked_for():
    # Without a warp the mel-cepstrum is the cepstrum: of the log magnitude, twice all but c0.
    x = condition(vowel(120.0))
    f0, times = pyworld.harvest(x, 16000, frame_period=5.0)
    cepstrum = np.fft.irfft(np.log(pyworld.cheaptrick(x, f0, times, 16000)) / 2, axis=1)
    one = analyse(vowel(120.0), MelCepstralProtocol(order=9, alpha=0.0, f0="harvest"))
    np.testing.assert_array_equal(one.f0, f0)
    assert (analyse(vowel(120.0)).f0 != f0).any()
    np.testing.assert_allclose(one.cepstra, cepstrum[:, :10] * [1, *[2] * 9], atol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"order": 0}, "order 0 of the mel-cepstrum; give 1 to 512"),
        ({"alpha": 1.0}, "alpha 1.0 warps nothing"),
        ({"dynamic_range": 0.0}, "a dynamic range of 0.0 dB"),
        ({"silence": "quiet"}, "silence 'quiet' of the protocol; give loud, voiced, none"),
        ({"f0": "crepe"}, "f0 'crepe' of the protocol; give dio, harvest"),
    ],
)
def test_a_protocol_refuses(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        MelCepstralProtocol(**wrong)
