"""Modulation spectra by hand: a gain, a sinusoid's power, segments."""

import numpy as np
import pytest
from test_analysis import analysis

from voiceconv.metrics import modulation_spectrum as ms
from voiceconv.metrics.analysis import pair

T = np.arange(1000)


def noise(n_frames: int = 700, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_frames, 3))


def test_twice_the_swing_is_six_decibels():
    assert ms.distance(noise(), 2 * noise()) == pytest.approx(20 * np.log10(2), abs=1e-9)
    # One of three coefficients only: the root mean square over coefficients.
    once = noise() * [1, 1, 2]
    assert ms.distance(noise(), once) == pytest.approx(20 * np.log10(2) / 3**0.5, abs=1e-9)


def test_where_the_voice_lies_does_not_count_but_how_it_moves():
    assert ms.distance(noise(), noise() + [5.0, -3.0, 1.0]) == pytest.approx(0, abs=1e-9)
    assert ms.distance(noise(), noise()) == 0.0


def test_a_sinusoid_has_its_power_at_its_frequency():
    # 25 Hz is bin 32 of 256 frames at 200 Hz. A Hann window w of N = 256 has sum(w) = 128.5 and
    # sum(w^2) = 3/8 * 257, so that cos() has (sum(w) / 2)^2 / sum(w^2) there.
    wave = np.cos(2 * np.pi * 25 * T / 200)[:, None]
    spectrum = ms.modulation_spectrum(wave)
    assert spectrum.shape == (64, 1)  # 0.78 to 50 Hz
    assert spectrum.argmax() == 31
    expected = 10 * np.log10((128.5 / 2) ** 2 / (3 / 8 * 257))
    assert spectrum[31, 0] == pytest.approx(expected, abs=1e-3)


def test_faster_than_the_limit_is_not_heard():
    fast = noise(768) + np.cos(2 * np.pi * 75 * T[:768] / 200)[:, None]
    assert ms.distance(noise(768), fast) < 1e-3
    slow = noise(768) + np.cos(2 * np.pi * 40.625 * T[:768] / 200)[:, None]
    assert ms.distance(noise(768), slow) > 1


def test_segments_are_averaged_in_power_and_cover_the_end():
    # Two halves of unlike swing, silent between: the powers' mean over the segments.
    first, second = noise(256, 1), noise(256, 2)
    frames = np.concatenate([first, 3 * second])
    middle = np.concatenate([first[128:], 3 * second[:128]])
    power = [10 ** (ms.modulation_spectrum(one) / 10) for one in (first, middle, 3 * second)]
    np.testing.assert_allclose(
        ms.modulation_spectrum(frames), 10 * np.log10(np.mean(power, axis=0)), atol=1e-9
    )
    # 300 frames: the first 256 and the last 256.
    frames = noise(300)
    power = [10 ** (ms.modulation_spectrum(one) / 10) for one in (frames[:256], frames[44:])]
    np.testing.assert_allclose(
        ms.modulation_spectrum(frames), 10 * np.log10(np.mean(power, axis=0)), atol=1e-9
    )


def test_length_does_not_count():
    # Of white noise the expected power is 1, 0 dB, at any length: short ones only scatter.
    for n_frames in (100, 256, 5000):
        power = [10 ** (ms.modulation_spectrum(noise(n_frames, seed)) / 10) for seed in range(40)]
        assert np.mean(power) == pytest.approx(1, abs=0.05)


def test_a_constant_has_no_modulation_and_a_finite_figure():
    assert ms.modulation_spectrum(np.ones((300, 1))).max() == pytest.approx(-100)


def test_a_pair_without_its_silent_ends_and_without_c0():
    rng = np.random.default_rng(0)
    power, c1 = np.exp(rng.standard_normal(400)), rng.standard_normal(400)
    whole = analysis(power, [0] * 400, c1)
    ends = np.full(50, 1e-9)
    padded = analysis(np.concatenate([ends, power, ends]), [0] * 500, np.pad(2 * c1, 50))
    assert ms.evaluate_pair(pair(whole, padded)) == {
        "modulation_spectrum_distance": pytest.approx(20 * np.log10(2), abs=1e-9)
    }
    click = analysis([1e-9, 1, 1e-9], [0] * 3, [0, 1, 0])
    assert ms.evaluate_pair(pair(whole, click)) == {}


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        (np.zeros(9), r"the estimate's trajectories have shape \(9,\)"),
        (np.zeros((1, 3)), r"shape \(1, 3\); give \(T, K\), T >= 2"),
        (np.full((9, 3), np.nan), "the estimate's trajectories hold NaN"),
        (np.zeros((9, 2)), "3 and 2 trajectories do not compare"),
    ],
)
def test_validate_refuses(frames, sentence):
    with pytest.raises(ValueError, match=sentence):
        ms.distance(noise(), frames)
