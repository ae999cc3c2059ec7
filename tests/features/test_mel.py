"""Log-mel frames: librosa's, whatever the definition."""

import librosa
import numpy as np
import pytest
import torch

from voiceconv.audio import resample
from voiceconv.features import Features, MelSpectrogram
from voiceconv.features.mel import LOG_FLOOR

DEFINITIONS = [
    {},  # HiFi-GAN's and MelGAN's
    {"sample_rate": 16000, "n_fft": 512, "hop_length": 128, "n_mels": 40},
    {"sample_rate": 24000, "n_fft": 1024, "hop_length": 240, "n_mels": 100, "f_min": 40.0},
    {"sample_rate": 22050, "n_mels": 36, "f_min": 60.0, "f_max": 7600.0},
    {"window": "hamming"},
    {"win_length": 800},
    {"mel_scale": "htk"},
    {"norm": None},
    {"power": 2.0},
    {"log": "10"},
    {"floor": 1e-3},
    {
        "sample_rate": 16000, "n_fft": 512, "hop_length": 100, "n_mels": 30, "f_min": 125.0,
        "f_max": 7500.0, "win_length": 400, "window": "hamming", "mel_scale": "htk", "norm": None,
        "power": 2.0, "log": "10", "floor": 1e-6,
    },
]  # fmt: skip


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_it_is_librosas(vowel, definition):
    mel = MelSpectrogram(**definition)
    wave = vowel(130, 0.5, mel.sample_rate) + 0.01 * torch.randn(mel.sample_rate // 2)
    frames = mel.extract(wave).frames.numpy()
    asked = {"win_length": 1024, "window": "hann", "power": 1.0, "norm": "slaney"} | definition
    expected = librosa.feature.melspectrogram(
        y=wave.numpy(),
        sr=mel.sample_rate,
        n_fft=mel.spec.n_fft,
        hop_length=mel.hop_length,
        n_mels=mel.n_channels,
        fmin=mel.spec.f_min,
        fmax=mel.spec.f_max,
        win_length=min(asked["win_length"], mel.spec.n_fft),
        window=asked["window"],
        power=asked["power"],
        norm=asked["norm"],
        htk="mel_scale" in definition,
        pad_mode="reflect",
    )
    assert frames.shape == expected.shape
    floored = np.maximum(expected, definition.get("floor", LOG_FLOOR))
    expected = np.log10(floored) if "log" in definition else np.log(floored)
    np.testing.assert_allclose(frames, expected, atol=1e-3, rtol=0)


def test_its_filters_are_librosas():
    """Of the filters themselves, without the rounding of a spectrum, to 1e-5 of the highest."""
    for definition in DEFINITIONS:
        mel = MelSpectrogram(**definition)
        expected = librosa.filters.mel(
            sr=mel.sample_rate,
            n_fft=mel.spec.n_fft,
            n_mels=mel.n_channels,
            fmin=mel.spec.f_min,
            fmax=mel.spec.f_max,
            htk=mel.spec.mel_scale == "htk",
            norm=mel.spec.norm,
        )
        atol = 1e-5 * expected.max()
        np.testing.assert_allclose(mel.filters.numpy(), expected, atol=atol, rtol=0)


def test_it_is_librosas_in_the_linear_domain(vowel):
    """To 1e-6 of the whole scale: what float32 filters leave. A mel of 0.5 is a loud vowel."""
    wave = 0.5 * vowel(200, 0.5, 22050) + 0.005 * torch.randn(11025)
    linear = MelSpectrogram(floor=1e-37).extract(wave).frames.exp().numpy()
    expected = librosa.feature.melspectrogram(
        y=wave.numpy(), sr=22050, n_fft=1024, hop_length=256, n_mels=80, power=1.0,
        pad_mode="reflect",
    )  # fmt: skip
    assert expected.max() > 0.4
    assert np.abs(linear - expected).max() < 1e-6


@pytest.mark.parametrize("n_samples", [1, 2, 221, 256, 511, 512, 513, 1023, 1024, 5000, 22050])
def test_it_counts_frames_by_the_formula_and_stays_finite(n_samples):
    mel = MelSpectrogram()
    for wave in (torch.zeros(n_samples), torch.randn(n_samples).clamp(-1, 1)):
        frames = mel.extract(wave).frames
        assert frames.shape == (80, n_samples // 256 + 1)
        assert mel.n_frames(n_samples) == n_samples // 256 + 1
        assert frames.isfinite().all()
        assert frames.dtype == torch.float32


@pytest.mark.parametrize("spec", [{}, {"power": 2.0}, {"log": "10"}])
def test_a_band_that_is_empty_but_for_rounding_is_not_normalised_to_a_burst(spec):
    mel = MelSpectrogram(sample_rate=48000, n_fft=2048, hop_length=512, n_mels=160, **spec)
    narrow = resample(torch.randn(24000, generator=torch.Generator().manual_seed(0)), 24000, 48000)
    frames = mel.extract((0.3 * narrow * 32767).round() / 32768).frames
    empty = mel.filters.argmax(1) * 48000 / 2048 > 13000
    stats = mel.fit([Features(frames[:, 8:-8])])
    assert stats.frames_std[empty].min() >= 0.1 * mel.spec.power / mel.spec.log_unit - 1e-6
    assert stats.normalize(frames)[empty, 8:-8].abs().max() < 10


def test_silence_is_the_floor():
    assert (MelSpectrogram().extract(torch.zeros(4000)).frames == np.float32(np.log(1e-5))).all()
    tenth = MelSpectrogram(log="10", power=2.0, floor=1e-9)
    torch.testing.assert_close(tenth.extract(torch.zeros(4000)).frames, torch.full((80, 16), -9.0))


def test_a_definition_names_what_changes_the_frames():
    one, other = MelSpectrogram(), MelSpectrogram(f_max=8000.0)
    changed = {key for key in one.definition if one.definition[key] != other.definition[key]}
    assert changed == {"f_max"}
    assert one.definition == MelSpectrogram(f_max=11025.0).definition
    assert one.frames_per_second == 22050 / 256


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("log", ["natural", "10"])
def test_cepstra_are_of_natural_logarithms_of_magnitudes(power, log):
    """log|H| = -2 + 0.5 cos(3 v), written as frames of each kind."""
    mel = MelSpectrogram(n_mels=40, power=power, log=log)
    channel = torch.arange(40, dtype=torch.float64)
    magnitudes = (-2 + 0.5 * torch.cos(3 * torch.pi * (channel + 0.5) / 40)).exp()[:, None]
    raised = magnitudes**power
    frames = raised.log10() if log == "10" else raised.log()
    expected = torch.zeros(40, 1, dtype=torch.float64)
    expected[0], expected[3] = -2, 0.5
    torch.testing.assert_close(mel.cepstra(frames), expected, atol=1e-12, rtol=0)


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
@pytest.mark.parametrize("definition", [*DEFINITIONS, {"n_fft": 256, "hop_length": 64}])
def test_a_flat_spectrum_is_found_in_its_frame_in_every_bin(definition):
    """All bins at a magnitude of 0.2, and so all filters at their sums; some filters are empty."""
    mel = MelSpectrogram(**definition)
    heard = mel.filters.sum(1) * 0.2**mel.spec.power
    frame = (heard.log10() if mel.spec.log == "10" else heard.log()).clamp_min(-30)
    weight, bias = mel.log_magnitude_map()
    expected = torch.full((mel.spec.n_fft // 2 + 1,), 0.2).log()
    torch.testing.assert_close(weight @ frame + bias, expected, atol=1e-4, rtol=0)
