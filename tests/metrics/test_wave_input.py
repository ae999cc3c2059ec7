"""What all measures do to a wave first: offset, level, clicks, silence."""

import numpy as np
import pytest
from test_copy_synthesis import speech

from voiceconv.metrics import (
    copy_synthesis,
    intelligibility,
    level,
    mel_cepstral_distortion,
    naturalness,
    prosody,
    speaker_similarity,
    wave_input,
)
from voiceconv.metrics.bandwidth import are_unlike, bandwidth


def clicked(wave):
    """One sample at full scale, far above the others."""
    wave = wave.copy()
    wave[len(wave) // 2] = 1.0
    return wave


def test_condition_by_hand():
    # 999 of 1000 magnitudes are 0.1 after the mean of 0.25 is gone: the 99.9th percentile.
    wave = np.tile([0.35, 0.15], 1000)
    np.testing.assert_allclose(wave_input.condition(wave), np.tile([0.4, -0.4], 1000), atol=1e-12)
    assert wave_input.level(wave_input.centre(wave)) == pytest.approx(0.1)
    assert np.abs(wave_input.condition(np.full(2000, 0.3))).max() < 1e-12  # nothing is amplified


def test_neither_offset_nor_click_changes_the_rest_of_a_wave():
    plain = wave_input.condition(0.1 * speech())
    np.testing.assert_allclose(wave_input.condition(0.1 * speech() + 0.003), plain, atol=1e-12)
    treated = wave_input.condition(clicked(0.1 * speech()))
    middle = len(plain) // 2
    np.testing.assert_allclose(np.delete(treated, middle), np.delete(plain, middle), atol=2e-3)
    assert treated[middle] == 1.0


def test_what_was_changed_is_said():
    assert wave_input.remarks(speech()) == {}
    assert wave_input.remarks(0.1 * speech() + 0.003) == {
        "offset": "an offset of +0.30% of full scale was removed"
    }
    assert wave_input.remarks(clicked(0.1 * speech())) == {
        "click": "1 of 32000 samples, far above the others, were limited"
    }


def of_one(wave):
    """Every measure of a converted recording, where the others are sound."""
    other = speech()
    yield mel_cepstral_distortion.evaluate, (other, wave)
    yield prosody.contour, (wave,)
    yield speaker_similarity.SpeakerEncoder.embed, (None, wave)
    yield naturalness.Dnsmos.score, (None, wave)
    yield intelligibility.pcm, (wave,)
    yield copy_synthesis.evaluate, (other, wave)
    yield copy_synthesis.evaluate, (wave, other)
    yield level.evaluate, (wave, 16000)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(32000),
        np.full(32000, 0.2),  # an offset alone
        np.eye(1, 32000, 99)[0],  # a click alone
        5e-5 * np.random.default_rng(0).choice([-1.0, 1.0], 32000),  # rounding noise
    ],
    ids=["zeros", "offset", "click", "noise at -86 dB"],
)
def test_silence_has_no_value_in_any_measure(wave):
    for function, arguments in of_one(wave):
        with pytest.raises(ValueError, match="is silent; silence has no value in any measure"):
            function(*arguments)


def test_a_quiet_voice_is_not_silent():
    wave_input.validate(1e-3 * speech())  # peaks at -65 dB


def band(limit, rate=24000):
    """Three seconds of noise up to `limit` Hz, at 16 bits."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(3 * rate))
    spectrum[int(3 * limit) :] = 0
    wave = np.fft.irfft(spectrum)
    return np.round(0.1 * wave / wave.std() * 32768) / 32768


@pytest.mark.parametrize("limit", [3400, 5500, 8000])
def test_bandwidth_is_where_sound_ends_whatever_the_rate(limit):
    # The side lobes of a Hann window of 32 ms have fallen by 60 dB after six bins of 31 Hz.
    assert limit <= bandwidth(band(limit), 24000) <= limit + 188
    assert limit <= bandwidth(band(limit, 48000), 48000) <= limit + 188


def test_bandwidth_goes_by_60_db():
    loud = band(2000)
    faint = loud + 10 ** (-50 / 20) * (band(9000) - loud)  # steps down by 50 dB at 2 kHz
    assert bandwidth(faint, 24000) > 8900
    assert bandwidth(loud + 10 ** (-70 / 20) * (band(9000) - loud), 24000) <= 2188


def test_unlike_bandwidths():
    assert are_unlike(3900, 8000) and are_unlike(12000, 5600)
    assert not are_unlike(7100, 8000)
    assert not are_unlike(8000, 12000)  # as far as the measures analyse, they are alike
