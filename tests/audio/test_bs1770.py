"""Loudness against what ITU-R BS.1770-4 and EBU Tech 3341 prescribe."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import sosfilt

from voiceconv.audio.bs1770 import k_weighting, level, loudness, loudness_gain


def tone(level: float, seconds: float, rate: int, frequency: float = 1000.0) -> torch.Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (10 ** (level / 20) * torch.sin(2 * math.pi * frequency * time)).float()


def test_coefficients_are_the_standards_at_48_khz() -> None:
    # BS.1770-4, tables 1 and 2.
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285,
             1.0, -1.69065929318241, 0.73248077421585]  # fmt: skip
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=1e-8)


@pytest.mark.parametrize("rate", [48_000, 44_100, 24_000, 16_000])
def test_full_scale_997_hz_is_minus_3_01(rate: int) -> None:
    assert loudness(tone(0.0, 5.0, rate, 997.0), rate) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(-20.0, 5.0, rate, 997.0), rate) == pytest.approx(-23.01, abs=0.05)


def test_gating_of_ebu_tech_3341() -> None:
    # Cases 3 and 4, in one channel: 3.01 LU below the two-channel figure of -23.0, +-0.1.
    case_3 = torch.cat([tone(level, s, 48_000) for level, s in ((-36, 10), (-23, 60), (-36, 10))])
    assert loudness(case_3, 48_000) == pytest.approx(-26.0, abs=0.1)
    levels = ((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10))
    case_4 = torch.cat([tone(level, s, 48_000) for level, s in levels])
    assert loudness(case_4, 48_000) == pytest.approx(-26.0, abs=0.1)


def test_pauses_do_not_count() -> None:
    speech = tone(-20.0, 3.0, 24_000)
    with_pause = torch.cat([speech, torch.zeros(24_000 * 5), speech])
    assert loudness(with_pause, 24_000) == pytest.approx(loudness(speech, 24_000), abs=0.5)


def test_short_clips_are_measured_whole() -> None:
    # 0.3 s are no block; the filters' onset costs a little.
    assert loudness(tone(-20.0, 0.3, 24_000), 24_000) == pytest.approx(-23.0, abs=0.3)
    assert math.isfinite(loudness(tone(-20.0, 0.01, 24_000), 24_000))


def test_silence_is_minus_infinity_and_gets_no_gain() -> None:
    for wave in (torch.zeros(48_000), torch.zeros(10), torch.zeros(0), torch.full((48_000,), 0.01)):
        assert loudness(wave, 24_000) == -math.inf
        assert level(wave, 24_000) == -math.inf
        assert loudness_gain(wave, 24_000, -23.0) == 1.0


@pytest.mark.parametrize("below", [0.0, 20.0, 45.0, 60.0, 90.0])
def test_the_level_of_a_quiet_wave_is_that_of_the_loud_one_less_the_gain(below) -> None:
    # Four seconds of which one is 30 dB under the others: the relative gate leaves it out.
    wave = torch.cat([tone(-20.0, 3.0, 24_000), tone(-50.0, 1.0, 24_000)])
    assert level(wave, 24_000) == pytest.approx(loudness(wave, 24_000), abs=1e-9)
    quiet = wave * 10 ** (-below / 20)
    assert level(quiet, 24_000) == pytest.approx(level(wave, 24_000) - below, abs=1e-4)
    assert loudness_gain(quiet, 24_000, -23.0) == pytest.approx(
        10 ** ((below - 23.0 - level(wave, 24_000)) / 20), rel=1e-4
    )


def test_a_constant_offset_has_no_loudness() -> None:
    wave = tone(-20.0, 2.0, 24_000)
    assert loudness(wave + 0.1, 24_000) == pytest.approx(loudness(wave, 24_000), abs=1e-3)


def test_gain_reaches_the_target() -> None:
    wave = tone(-31.0, 2.0, 24_000)
    gain = loudness_gain(wave, 24_000, -23.0)
    assert gain == pytest.approx(10 ** (10.99 / 20), rel=0.01)
    assert loudness(wave * gain, 24_000) == pytest.approx(-23.0, abs=1e-4)


def test_blocks_join_without_a_seam() -> None:
    # 30 s cross the ten-second pieces; measured at a rate whose 100 ms are not whole samples.
    noise = torch.randn(30 * 11_025, generator=torch.Generator().manual_seed(0)) * 0.1
    weighted = sosfilt(k_weighting(11_025), (noise.double() - noise.double().mean()).numpy())
    hop = 1103
    blocks = [np.mean(weighted[i : i + 4 * hop] ** 2)
              for i in range(0, len(weighted) - 4 * hop + 1, hop)]  # fmt: skip
    assert loudness(noise, 11_025) == pytest.approx(
        -0.691 + 10 * np.log10(np.mean(blocks)), abs=1e-9
    )
