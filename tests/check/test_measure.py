"""Figures by hand: clipping, DC, level, noise, silence, F0."""

import math

import numpy as np
import pytest
import torch
from voices import RATE, as_wave, sentence

from voiceconv.check.doctor import search_range
from voiceconv.check.measure import clipped_share, f0_track, measure, noise_floor, octave_jumps


def sine(frequency, seconds=1.0, amplitude=0.5, rate=RATE):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def test_clipped_share_is_exact():
    samples = 0.1 * np.random.default_rng(0).standard_normal(10_000)
    samples = samples / abs(samples).max() * 0.8
    samples[1000:1005] = 1.0
    samples[5000:5003] = -1.0
    samples[7000:7002] = 1.0  # two are no flat top
    assert clipped_share(samples) == 8 / 10_000
    assert clipped_share(0.3 * samples) == 8 / 10_000  # turned down afterwards
    assert clipped_share(samples + 0.05) == 8 / 10_000  # each side by its own extreme


def test_clipped_share_of_a_sine_cut_at_half_its_height():
    cut = np.clip(sine(100.0), -0.25, 0.25)
    # Two thirds of each period lie above half the height: arcsin(1/2) is 30 of 90 degrees.
    assert clipped_share(cut) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.003])
def test_smooth_tops_are_not_clipped_however_fine_or_coarse(rate, amplitude):
    steps = np.round(32767 * sine(50.0, 1.0, amplitude, rate))
    assert clipped_share(steps / 32768) == 0.0


def test_level_and_dc_are_exact():
    tone = sine(997.0, 2.0, 0.1, 48000)
    found = measure(as_wave(tone + 0.02), 48000)
    assert found.dc == pytest.approx(0.02, abs=1e-6)
    assert found.dc_ratio == pytest.approx(0.02 / (0.1 / 2**0.5), rel=1e-4)
    # BS.1770: a sine of 997 Hz at 0 dBFS is -3.01 LUFS.
    assert found.loudness == pytest.approx(-23.01, abs=0.02)
    assert found.peak == pytest.approx(0.12, abs=1e-4)
    assert (found.seconds, found.sample_rate) == (2.0, 48000)


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("snr", [10, 20, 30, 40])
def test_snr_of_syllables_in_white_noise_within_2_db(rate, snr):
    samples = sentence(1, 130.0, 4.0, rate)
    power = (samples.reshape(-1, rate // 5) ** 2).mean(1)
    speech = power[power > power.max() / 100].mean()
    noise = np.random.default_rng(0).standard_normal(len(samples))
    noise *= np.sqrt(speech) * 10 ** (-snr / 20)
    level, found = noise_floor(samples + noise, rate)
    assert found == pytest.approx(snr, abs=2.0)
    assert level == pytest.approx(10 * math.log10(speech) - snr, abs=1.5)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("seconds", [1, 3, 20])
def test_white_noise_alone_is_its_own_floor(rate, seconds):
    noise = 0.01 * np.random.default_rng(3).standard_normal(rate * seconds)
    level, snr = noise_floor(noise, rate)
    assert level == pytest.approx(-40.0, abs=0.7)
    assert snr == 0.0


def test_padding_with_digital_silence_is_no_low_noise():
    samples = sentence(2) + 3e-3 * np.random.default_rng(1).standard_normal(2 * RATE)
    padded = np.concatenate([np.zeros(RATE), samples, np.zeros(RATE)])
    assert noise_floor(padded, RATE) == pytest.approx(noise_floor(samples, RATE), abs=0.1)


def test_silence_at_the_ends_and_in_all():
    tone = sine(300.0, 1.0)
    found = measure(as_wave(np.concatenate([np.zeros(RATE // 2), tone, np.zeros(RATE)])), RATE)
    assert (found.lead, found.tail) == (pytest.approx(0.5, abs=0.02), pytest.approx(1.0, abs=0.02))
    assert found.silence == pytest.approx(0.6, abs=0.01)
    assert found.sounding == pytest.approx(1.0, abs=0.04)
    assert found.inner_silence == pytest.approx(0.0, abs=0.03)


def test_pauses_in_noise_are_silence():
    """Noise 26 dB down, far above the 40 dB below the loudest that count where it is quiet."""
    samples = sentence(4, seconds=4.0)
    noisy = samples + 0.005 * np.random.default_rng(5).standard_normal(len(samples))
    padded = np.concatenate([noisy, 0.005 * np.random.default_rng(6).standard_normal(4 * RATE)])
    assert measure(as_wave(padded), RATE).tail == pytest.approx(4.2, abs=0.2)


def test_digital_silence_has_no_level_no_noise_and_no_voice():
    found = measure(torch.zeros(RATE), RATE, embed=lambda wave: pytest.fail("no voice in it"))
    assert (found.loudness, found.noise, found.snr) == (-math.inf, -math.inf, math.inf)
    assert (found.silence, found.dc, found.dc_ratio, found.clipped) == (1.0, 0.0, 0.0, 0.0)
    assert (found.lead, found.tail, found.sounding) == (1.0, 0.0, 0.0)
    assert found.embedding is None and len(found.f0) == 0


@pytest.mark.parametrize("n_samples", [1, 100, 1000])
def test_a_handful_of_samples_is_measured(n_samples):
    found = measure(torch.full((n_samples,), 0.25), RATE)
    assert found.peak == 0.25 and found.seconds == n_samples / RATE
    assert len(found.fingerprint.words) == 0 and found.embedding is None


@pytest.mark.parametrize("pitch", [80.0, 120.0, 250.0])
def test_search_range_of_a_vowel(vowel, pitch):
    f0 = measure(vowel(pitch, 2.0, RATE), RATE).f0
    assert np.median(f0) == pytest.approx(pitch, rel=0.01)
    low, high = search_range(f0)
    # 0.83 and 1.92 times the pitch, outwards to 5 Hz: half and double the pitch lie outside.
    assert low == pytest.approx(0.83 * pitch, abs=5.1) and low <= 0.83 * pitch
    assert high == pytest.approx(1.92 * pitch, abs=6.0) and pitch / 2 < low and high < 2 * pitch
    assert all(math.isnan(bound) for bound in search_range(np.zeros(0)))


def test_octave_jumps_are_counted_within_50_ms():
    track = np.array([100, 100, 200, 200, 0, 100, 0, 0, 0, 0, 0, 0, 200, 150, 150, 140.0])
    # 100 to 200; 200 to 100 over one unvoiced frame; 100 to 200 over six does not count; a
    # fourth down is none.
    assert octave_jumps(track) == 2
    assert octave_jumps(np.zeros(5)) == 0


def test_f0_halved_in_parts_leaps(vowel):
    pieces = [vowel(pitch, 0.3, RATE).numpy() for pitch in (200.0, 100.0) * 4]
    assert octave_jumps(f0_track(np.concatenate(pieces).astype(float))) >= 3
    assert octave_jumps(f0_track(vowel(200.0, 2.4, RATE).double().numpy())) == 0


def test_a_voice_is_heard_in_the_middle_of_what_sounds():
    heard = []
    samples = sentence(7, seconds=8.0)
    wave = np.concatenate([np.zeros(3 * RATE), samples])
    measure(as_wave(wave), RATE, lambda part: heard.append(part) or np.ones(2))
    (part,) = heard
    assert len(part) == pytest.approx(5 * RATE, abs=2)
    middle = 3.0 + (8.0 - 0.2) / 2  # the last syllable is a pause
    start = middle - 2.5
    window = wave[int((start - 0.1) * RATE) : int((start + 5.1) * RATE)]
    lags = np.correlate(window, part[:RATE], "valid")
    assert abs(int(lags.argmax()) - 0.1 * RATE) < 0.05 * RATE
