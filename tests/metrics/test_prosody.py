"""F0 differences, voicing and tempo by hand."""

import numpy as np
import pytest
from test_analysis import analysis

from voiceconv.metrics import prosody
from voiceconv.metrics.analysis import Pair, pair


def test_an_octave_is_1200_cents():
    # +1200 and -1200 cents; the frames with one voiced or none don't count.
    couples = np.array([[100, 200], [100, 50], [100, 0], [0, 80], [0, 0]], float)
    assert prosody.compare_f0(couples) == {"log_f0_rmse": pytest.approx(1200)}
    # 0 and 1200: sqrt(1200^2 / 2).
    couples = np.array([[100, 100], [100, 200]], float)
    assert prosody.compare_f0(couples)["log_f0_rmse"] == pytest.approx(1200 / 2**0.5)


def test_correlation_is_of_the_logarithm():
    octaves = np.array([[100, 400], [200, 200], [400, 100]], float)
    assert prosody.compare_f0(octaves)["log_f0_correlation"] == pytest.approx(-1, abs=1e-12)
    # Octaves 0, 1, 2 against 0, 2, 1: deviations (-1, 0, 1) and (-1, 1, 0), so 1 / 2.
    crossed = np.array([[100, 100], [200, 400], [400, 200]], float)
    assert prosody.compare_f0(crossed)["log_f0_correlation"] == pytest.approx(0.5, abs=1e-12)


def test_what_is_undefined_is_left_out():
    assert prosody.compare_f0(np.array([[100.0, 0.0]])) == {}
    assert list(prosody.compare_f0(np.full((7, 2), 123.4))) == ["log_f0_rmse"]
    whisper = analysis([1, 1], [0, 0], [1, 2], silence="voiced")
    assert prosody.evaluate_pair(pair(whisper, whisper)) == {}


def test_along_the_path():
    first = analysis([1, 1, 1, 1e-9], [100, 0, 100, 300], [1, 2, 3, 4])
    second = analysis([1, 1, 1, 1, 1], [200, 100, 0, 0, 400], [1, 1, 2, 2, 3])
    path = np.array([[0, 0], [0, 1], [1, 2], [1, 3], [2, 4]])
    assert pair(first, second).path.tolist() == path.tolist()
    scores = prosody.evaluate_pair(Pair(first, second, path))
    # Couples (100, 200), (100, 100), (0, 0), (0, 0), (100, 400): 1200, 0 and 2400 cents.
    assert scores == {
        "log_f0_rmse": pytest.approx((1200**2 + 2400**2) ** 0.5 / 3**0.5),
        "voicing_error": 0.0,
        "duration_ratio": pytest.approx(5 / 3),  # the last frame of the first is too quiet
    }
    # One of four couples is voiced on one side alone.
    crossed = Pair(first, second, np.array([[0, 0], [0, 2], [1, 3], [2, 4]]))
    assert prosody.evaluate_pair(crossed)["voicing_error"] == 25.0
    # Longer is more than 1, whichever way it is asked.
    assert prosody.evaluate_pair(pair(second, first))["duration_ratio"] == pytest.approx(3 / 5)


def test_statistics_of_a_voice():
    # Octaves (0, 2) and (3, 5) above 100 Hz: 2.5 on average, 1 about their own means, and not
    # sqrt(3.25), which is about the mean of all.
    base = 1200 * np.log2(100)
    contours = [np.array([100.0, 0.0, 400.0]), np.array([800.0, 3200.0]), np.zeros(4)]
    voice = prosody.f0_statistics(contours)
    assert voice.mean == pytest.approx(base + 2.5 * 1200)
    assert voice.deviation == pytest.approx(1200)
    # An utterance of octaves 1 and 2: an octave below, half as lively.
    scores = prosody.evaluate(voice, np.array([200.0, 0.0, 400.0]))
    assert scores == {
        "f0_mean_difference": pytest.approx(-1200),
        "f0_spread_ratio": pytest.approx(0.5),
    }
    assert prosody.evaluate(voice, np.zeros(5)) == {}
    monotone = prosody.f0_statistics([np.full(9, 123.4)])
    assert list(prosody.evaluate(monotone, contours[0])) == ["f0_mean_difference"]
    with pytest.raises(ValueError, match="no voiced frame in 2 recordings"):
        prosody.f0_statistics([np.zeros(3), np.zeros(4)])


def test_an_octave_up_measured_from_waves():
    t = np.arange(16000) / 16000
    low, high = (
        sum(0.8**k * np.cos(2 * np.pi * k * f * t) for k in range(1, 20)) for f in (110, 220)
    )
    voice = prosody.f0_statistics([prosody.contour(low)])
    found = prosody.evaluate(voice, prosody.contour(0.1 * high))["f0_mean_difference"]
    assert found == pytest.approx(1200, abs=10)


def test_a_contour_of_nothing():
    with pytest.raises(ValueError, match="at least 1024"):
        prosody.contour(np.ones(1000))
