"""Levels of waves whose levels are known."""

import numpy as np
import pytest

from voiceconv.metrics import level


def tone(amplitude: float, seconds: float = 1.0, rate: int = 48000) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 997 * np.arange(int(seconds * rate)) / rate)


def test_the_standards_tone():
    # BS.1770: a 997 Hz sine at full scale in one channel is -3.01 LUFS.
    scores = level.evaluate(tone(0.5), 48000)
    assert scores["loudness"] == pytest.approx(-3.01 - 6.02, abs=0.01)
    assert scores["peak"] == pytest.approx(-6.0206, abs=1e-3)
    assert scores["clipped"] == 0.0 and scores["silence"] == 0.0


def test_float32_as_audio_reads_it():
    expected = level.evaluate(tone(0.5), 48000)
    assert level.evaluate(tone(0.5).astype(np.float32), 48000) == pytest.approx(expected, abs=1e-5)


def test_clipped_samples_are_those_at_full_scale():
    wave = np.full(2000, 0.5)
    wave[:10], wave[10:15], wave[15:20] = 32767 / 32768, -1.0, 32766 / 32768
    assert level.clipped(wave) == pytest.approx(100 * 15 / 2000)
    assert level.peak(wave) == 0.0


def test_silence_is_forty_decibels_down():
    # 20 ms are 320 samples at 16 kHz: ten frames, of which two lie at -40.8 dB, one at -39.2.
    gains = np.array([1, 1, 1, 1, 1, 1, 1, 0.0091, 0.0091, 0.011])
    wave = np.repeat(gains, 320) * np.tile([0.5, -0.5], 1600)
    assert level.silence(wave, 16000) == pytest.approx(20)
    assert level.silence(np.append(wave, np.zeros(319)), 16000) == pytest.approx(20)


def test_a_frame_is_of_20_ms_at_any_rate():
    blinks = np.repeat([1.0, 0.001] * 10, 160)  # 160 samples are a frame at 8 kHz, half at 16
    assert level.silence(blinks, 8000) == pytest.approx(50)
    assert level.silence(blinks, 16000) == 0.0


@pytest.mark.parametrize(
    ("wave", "rate", "sentence"),
    [
        (np.zeros((2, 4000)), 16000, "give a mono wave"),
        (np.full(4000, np.inf), 16000, "NaN or infinite"),
        (np.ones(4000), 0, "a sample rate of 0 Hz; give the file's own"),
    ],
)
def test_validate_refuses(wave, rate, sentence):
    with pytest.raises(ValueError, match=sentence):
        level.evaluate(wave, rate)
