"""Log-mel frames: librosa's, whatever the definition."""

import librosa
import numpy as np
import pytest
import torch

from voiceconv.features import MelSpectrogram
from voiceconv.features.mel import LOG_FLOOR

DEFINITIONS = [
    {},  # HiFi-GAN's and MelGAN's
    {"sample_rate": 16000, "n_fft": 512, "hop_length": 128, "n_mels": 40},
    {"sample_rate": 24000, "n_fft": 1024, "hop_length": 240, "n_mels": 100, "f_min": 40.0},
    {"sample_rate": 22050, "n_mels": 36, "f_min": 60.0, "f_max": 7600.0},
]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_it_is_librosas(vowel, definition):
    mel = MelSpectrogram(**definition)
    wave = vowel(130, 0.5, mel.sample_rate) + 0.01 * torch.randn(mel.sample_rate // 2)
    frames = mel.extract(wave).frames.numpy()
    expected = librosa.feature.melspectrogram(
        y=wave.numpy(),
        sr=mel.sample_rate,
        n_fft=mel.spec.n_fft,
        hop_length=mel.hop_length,
        n_mels=mel.n_channels,
        fmin=mel.spec.f_min,
        fmax=mel.spec.f_max,
        power=1.0,
        pad_mode="reflect",
    )
    assert frames.shape == expected.shape
    np.testing.assert_allclose(frames, np.log(np.maximum(expected, LOG_FLOOR)), atol=1e-3, rtol=0)


def test_its_filters_are_librosas():
    """Of the filters themselves, without the rounding of a spectrum, to 1e-6."""
    for definition in DEFINITIONS:
        mel = MelSpectrogram(**definition)
        expected = librosa.filters.mel(
            sr=mel.sample_rate,
            n_fft=mel.spec.n_fft,
            n_mels=mel.n_channels,
            fmin=mel.spec.f_min,
            fmax=mel.spec.f_max,
        )
        np.testing.assert_allclose(mel.filters.numpy(), expected, atol=1e-6, rtol=0)


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


def test_silence_is_the_floor():
    assert (MelSpectrogram().extract(torch.zeros(4000)).frames == np.float32(np.log(1e-5))).all()


def test_a_definition_names_what_changes_the_frames():
    one, other = MelSpectrogram(), MelSpectrogram(f_max=8000.0)
    changed = {key for key in one.definition if one.definition[key] != other.definition[key]}
    assert changed == {"f_max"}
    assert one.definition == MelSpectrogram(f_max=11025.0).definition
    assert one.frames_per_second == 22050 / 256


@pytest.mark.parametrize("limits", [(0.0, 12000.0), (-1.0, 8000.0), (8000.0, 8000.0)])
def test_filters_outside_the_spectrum_are_refused(limits):
    with pytest.raises(ValueError, match="must rise within"):
        MelSpectrogram(f_min=limits[0], f_max=limits[1])
