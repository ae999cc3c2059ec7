"""What a streaming network hears: independent of level, of chunks and of the future."""

import math

import pytest
import torch
from tiny import vowel

from voiceconv.features import CausalSpectrum
from voiceconv.features.causal import N_MELS, Heard

RATE, HOP = 24000, 240


@pytest.fixture(scope="module")
def spectrum() -> CausalSpectrum:
    return CausalSpectrum(RATE, HOP)


def frames_of(spectrum, wave):
    return spectrum.frames(spectrum.windows(wave)[None], Heard.nothing(), torch.zeros(N_MELS))


def test_sizes(spectrum):
    assert (spectrum.half, spectrum.n_fft, spectrum.n_channels) == (400, 1024, 209)
    assert spectrum.windows(torch.zeros(24000)).shape == (101, 800)
    assert CausalSpectrum(16000, 160).n_channels == 209  # at any rate


@pytest.mark.parametrize("pitch", [75.0, 110.0, 220.0, 440.0])
def test_the_autocorrelation_is_greatest_at_the_period(spectrum, pitch):
    found = frames_of(spectrum, vowel(pitch, 0.4, RATE))[0][0, N_MELS + 1 :, 20]
    window = torch.hann_window(2 * spectrum.half)
    lags = RATE / spectrum.pitches
    found = found / torch.tensor(
        [float((window[int(n) :] * window[: -int(n)]).sum()) for n in lags]
    )
    multiples = spectrum.pitches[found > 0.9 * found.max()] / pitch
    assert any(abs(math.log2(float(one))) < 1 / 24 for one in multiples)


def test_half_the_level_gives_the_same_frames(spectrum):
    wave = vowel(120.0, 0.5, RATE) + 0.01 * torch.randn(
        RATE // 2, generator=torch.Generator().manual_seed(0)
    )
    loud, levels, _, _ = frames_of(spectrum, wave)
    quiet, lower, _, _ = frames_of(spectrum, 0.5 * wave)
    assert torch.allclose(loud[..., 3:-3], quiet[..., 3:-3], atol=5e-3)
    assert (levels - lower)[0, 5:-5].mean().item() == pytest.approx(math.log(2), abs=1e-3)


def test_one_frame_at_a_time_is_all_at_once(spectrum):
    windows = spectrum.windows(vowel(120.0, 0.3, RATE))[None]
    usual = torch.linspace(-1, 1, N_MELS)
    whole = spectrum.frames(windows, Heard.nothing(), usual)[0]
    heard, parts = Heard.nothing(), []
    for t in range(windows.shape[1]):
        frame, _, _, heard = spectrum.frames(windows[:, t : t + 1], heard, usual)
        parts.append(frame)
    assert torch.allclose(torch.cat(parts, 2), whole, atol=1e-5)


def test_the_mean_shape_begins_with_the_usual_and_becomes_the_voices(spectrum):
    shape, usual = torch.ones(1, N_MELS), torch.zeros(N_MELS)
    heard, level = Heard.nothing(), torch.tensor([-2.0])
    for _ in range(100):  # as much as the prior
        mean, loudest, heard = spectrum.follow(shape, level, heard, usual)
    assert float(mean[0, 0]) == pytest.approx(0.49, abs=0.01)
    assert float(loudest) == -2.0
    for _ in range(3000):
        mean, _, heard = spectrum.follow(shape, level, heard, usual)
    assert float(mean[0, 0]) == pytest.approx(0.905, abs=0.01)  # the memory is of 10 s
    assert float(heard.weight) <= 1000


def test_noise_before_the_voice_hardly_counts(spectrum):
    usual, heard = torch.zeros(N_MELS), Heard.nothing()
    for _ in range(300):
        _, _, heard = spectrum.follow(-torch.ones(1, N_MELS), torch.tensor([-7.0]), heard, usual)
    assert float(heard.weight) > 200
    mean, _, heard = spectrum.follow(torch.ones(1, N_MELS), torch.tensor([-2.0]), heard, usual)
    assert float(heard.weight) < 1.5  # the voice is 43 dB above
    assert float(mean[0, 0]) > 0


def test_pauses_do_not_count_and_the_loudest_fades(spectrum):
    usual = torch.zeros(N_MELS)
    _, _, heard = spectrum.follow(
        torch.ones(1, N_MELS), torch.tensor([-2.0]), Heard.nothing(), usual
    )
    weight = float(heard.weight)
    for _ in range(100):  # a second of silence
        _, loudest, heard = spectrum.follow(
            torch.zeros(1, N_MELS), torch.tensor([-11.0]), heard, usual
        )
    assert float(heard.weight) == pytest.approx(weight)
    assert 20 / math.log(10) * (-2.0 - float(loudest)) == pytest.approx(2.0, abs=1e-4)
