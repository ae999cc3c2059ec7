"""The searches for F0: known pitches, frame counts, silence and noise, limits."""

import numpy as np
import pytest

from voiceconv.features import f0 as searches
from voiceconv.features.f0 import METHODS, pyworld, search

RATE, PERIOD = 24000, 5.0


def harmonics(pitch, seconds=0.5, rate=RATE):
    """Ten harmonics below 4 kHz, each 6 dB an octave weaker, at -20 dB full scale."""
    times = np.arange(int(rate * seconds)) / rate
    numbers = [n for n in range(1, 11) if n * pitch < 4000]
    wave = sum(np.sin(2 * np.pi * n * pitch * times + n) / n for n in numbers)
    return 0.1 * wave / wave.std()


@pytest.mark.parametrize(
    ("pitch", "rate"),
    [(50, 24000), (55, 16000), (55, 24000), (110, 16000), (440, 16000), (1000, 16000)]
    + [(110, 24000), (440, 24000), (1000, 24000), (1500, 24000)],
)
def test_swift_finds_a_tone_within_1_percent(pitch, rate):
    f0, _ = search(harmonics(pitch, rate=rate), rate, PERIOD, "swift")
    assert np.abs(f0[10:-10] / pitch - 1).max() < 0.01


def test_swift_finds_a_tone_in_noise_as_loud():
    wave = harmonics(220)
    noise = np.random.default_rng(0).standard_normal(len(wave))
    f0, _ = search(wave + wave.std() * noise, RATE, PERIOD, "swift")
    assert np.abs(f0[10:-10] / 220 - 1).max() < 0.05


def test_swift_follows_a_glide():
    times = np.arange(RATE) / RATE
    phase = 2 * np.pi * 100 * (2**times - 1) / np.log(2)  # 100 Hz to 200 Hz
    wave = 0.05 * sum(np.sin(n * phase) / n for n in range(1, 11))
    f0, at = search(wave, RATE, PERIOD, "swift")
    assert np.abs(f0 / (100 * 2**at) - 1)[10:-10].max() < 0.01


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_samples", [2048, 2399, 2400, 6007])
def test_frames_are_counted_as_world_does(method, n_samples):
    f0, times = search(harmonics(200, 1)[:n_samples], RATE, PERIOD, method)
    assert len(f0) == len(times) == n_samples // 120 + 1
    assert times[-1] == pytest.approx(0.005 * (len(times) - 1))


@pytest.mark.parametrize("gain", [0.0, 1e-5, 1e-2, 0.5])
def test_swift_leaves_silence_and_noise_unvoiced(gain):
    noise = gain * np.random.default_rng(0).standard_normal(RATE)
    assert (search(noise, RATE, PERIOD, "swift")[0] > 0).sum() == 0


def test_swift_hears_a_quiet_voice_as_a_loud_one():
    """At -100 dB full scale: what lies below the gate of BS.1770 is brought to no loudness."""
    quiet, loud = (search(gain * harmonics(150), RATE, PERIOD, "swift")[0] for gain in (1e-4, 0.1))
    assert (quiet[10:-20] > 0).all()
    np.testing.assert_allclose(quiet, loud, rtol=1e-4)


def test_swift_is_deterministic():
    wave = harmonics(150) + 0.02 * np.random.default_rng(0).standard_normal(RATE // 2)
    one, other = (search(wave, RATE, PERIOD, "swift")[0] for _ in range(2))
    searches._network.cache_clear()
    assert (one == other).all()
    assert (one == search(wave, RATE, PERIOD, "swift")[0]).all()


@pytest.mark.parametrize("method", METHODS)
def test_limits_hold(method):
    """A tone within the limits is found; one without is not, unless as its octave within them."""
    for pitch, limits in ((600, {"ceil": 700.0}), (100, {"floor": 80.0})):
        f0, _ = search(harmonics(pitch), RATE, PERIOD, method, **limits)
        assert np.abs(f0[10:-10] / pitch - 1).max() < 0.02
    for pitch, limits in ((600, {"ceil": 500.0}), (100, {"floor": 150.0})):
        f0, _ = search(harmonics(pitch), RATE, PERIOD, method, **limits)
        found = f0[f0 > 0]
        assert (found <= 1.05 * limits.get("ceil", np.inf)).all()
        assert (found >= 0.95 * limits.get("floor", 0)).all()


@pytest.mark.parametrize("seconds", [0.5, 0.503, 0.511])
def test_swift_hears_the_voice_up_to_the_end(seconds):
    f0, times = search(harmonics(150, seconds), RATE, PERIOD, "swift")
    sounding = times < seconds - 0.01
    assert np.abs(f0[sounding][2:] / 150 - 1).max() < 0.03


def test_the_others_are_pyworlds():
    wave = harmonics(150)
    f0, times = pyworld.dio(wave, RATE)
    assert (search(wave, RATE, PERIOD, "dio")[0] == pyworld.stonemask(wave, f0, times, RATE)).all()
    assert (search(wave, RATE, PERIOD, "harvest")[0] == pyworld.harvest(wave, RATE)[0]).all()
