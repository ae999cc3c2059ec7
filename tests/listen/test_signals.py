"""What is done to waves of a listening test, against numbers of standards and of arithmetic."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import freqz

from voiceconv import audio
from voiceconv.listen.building.signals import (
    ANCHORS,
    anchor,
    dithered,
    faded,
    interrupted,
    low_pass,
    spans,
    true_peak,
)

RATE = 16000


def tone(pitch: float, seconds: float, rate: int = RATE, phase: float = 0.0) -> torch.Tensor:
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * pitch * time + phase).float()


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("edge", ANCHORS.values())
def test_anchors_are_filtered_as_the_standard_asks(edge, rate):
    """BS.1534-3: 0.1 dB below 3.5 kHz, 25 dB at 4 kHz, 50 dB at 4.5 kHz; the other at twice that.

    At 16 kHz the mid anchor's stop band begins where the spectrum ends.
    """
    taps = low_pass(edge, rate)
    frequency, response = freqz(taps, worN=1 << 16, fs=rate)
    gain = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(gain[frequency <= edge]).max() < 0.1
    assert gain[frequency >= edge * 8 / 7].max(initial=-math.inf) < -25
    assert gain[frequency >= edge * 9 / 7].max(initial=-math.inf) < -50
    assert np.allclose(taps, taps[::-1]) and len(taps) % 2 == 1


def test_an_anchor_is_neither_early_nor_late():
    impulse = torch.zeros(2001)
    impulse[700] = 1.0
    filtered = anchor(impulse, RATE, 3500.0)
    assert filtered.shape == impulse.shape and int(filtered.argmax()) == 700
    assert torch.allclose(filtered[600:700], filtered[701:801].flip(0), atol=1e-7)
    passed = anchor(tone(1000, 0.5), RATE, 3500.0)
    assert torch.allclose(passed[500:-500], tone(1000, 0.5)[500:-500], atol=2e-3)


def beeps_in(wave: torch.Tensor) -> list[tuple[float, float]]:
    """Begin and end in seconds of where 880 Hz sound, in blocks of 10 ms (of 8.8 periods)."""
    block = RATE // 100
    blocks = wave[: wave.numel() // block * block].view(-1, block).double()
    probe = torch.exp(-2j * math.pi * 880 / RATE * torch.arange(block, dtype=torch.float64))
    loud = (blocks.to(torch.complex128) @ probe).abs() > 0.25 * block * blocks.abs().max()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud.numpy(), [False]])))
    return [(first / 100, end / 100) for first, end in edges.reshape(-1, 2)]


@pytest.mark.parametrize("n_beeps", [1, 3, 5])
def test_beeps_can_be_counted(n_beeps):
    wave = 0.3 * tone(200, 5.0)
    checked = interrupted(wave, RATE, n_beeps)
    assert checked.numel() == wave.numel()  # its middle is replaced
    found = beeps_in(checked)
    assert [round(end - first, 2) for first, end in found] == n_beeps * [0.2]
    assert all(round(b[0] - a[1], 2) == 0.2 for a, b in zip(found, found[1:], strict=False))
    first = round((5.0 - 0.4 * n_beeps - 0.2) / 2, 2)
    assert found[0][0] == pytest.approx(first + 0.2, abs=0.011)
    head = round(first * RATE) - 100
    assert torch.equal(checked[100:head], wave[100:head])


def test_beeps_are_as_loud_as_the_recording():
    wave = 0.05 * tone(200, 5.0)
    first, end = (round(RATE * second) for second in beeps_in(interrupted(wave, RATE, 1))[0])
    beep = interrupted(wave, RATE, 1)[first:end]
    assert audio.loudness(beep, RATE) == pytest.approx(audio.loudness(wave, RATE), abs=0.3)


def test_half_a_second_stays_of_a_short_recording():
    checked = interrupted(0.3 * tone(200, 1.2), RATE, 2)
    assert checked.numel() == round((0.5 + 5 * 0.2 + 0.5) * RATE)
    assert interrupted(0.3 * tone(200, 0.6), RATE, 2).numel() == round(1.6 * RATE)


def test_fades_take_five_milliseconds_and_leave_the_rest():
    wave = faded(torch.ones(RATE), RATE)
    assert torch.equal(wave[80:-80], torch.ones(RATE - 160))
    # sin^2 of half a step and of the middle: 80 samples up to 1
    assert wave[0] == pytest.approx(math.sin(math.pi / 320) ** 2, abs=1e-7)
    assert (wave[39] + wave[40]).item() == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(wave, wave.flip(0))


def test_what_keeps_time_together_is_cut_together():
    def bursts(first: float, end: float, seconds: float) -> torch.Tensor:
        wave = torch.zeros(round(seconds * RATE))
        wave[round(first * RATE) : round(end * RATE)] = 0.5
        return wave

    one, two = bursts(0.5, 1.5, 2.0), bursts(0.7, 1.8, 2.01)
    other = bursts(1.0, 2.0, 3.0)
    found = spans([one, two, other], RATE, top_db=40.0)
    in_seconds = [(first / RATE, end / RATE) for first, end in found]
    assert in_seconds == [(0.45, 1.85), (0.45, 1.85), (0.95, 2.05)]


def test_a_peak_between_samples_is_found():
    """At a quarter of the rate and 45 degrees, samples are at 0.707 of the peak."""
    wave = tone(RATE / 4, 1.0, phase=math.pi / 4)
    assert wave.abs().max() == pytest.approx(math.sqrt(0.5), abs=1e-3)
    middle = wave * torch.hann_window(RATE, periodic=False)  # nothing that begins at once
    assert true_peak(middle, RATE) == pytest.approx(0.0, abs=0.01)
    assert true_peak(torch.zeros(100), RATE) == -math.inf


def test_dither_makes_rounding_noise():
    """Triangular noise of 1 bit: a variance of 1/6, of rounding 1/12; 1/4 whatever the signal."""
    wave = 1.4 / 32768 * tone(100, 4.0)
    written = 32768 * dithered(wave, seed=1)
    assert torch.allclose(written, written.round(), atol=1e-3)
    error = (written - 32768 * wave).double()
    assert error.mean().item() == pytest.approx(0.0, abs=0.01)
    assert error.square().mean().item() == pytest.approx(0.25, rel=0.03)
    loud = (32768 * wave).abs() > 1
    assert error[loud].square().mean().item() == pytest.approx(0.25, rel=0.05)
    tone_in_error = (error * tone(100, 4.0).double()).mean().item()
    assert tone_in_error == pytest.approx(0.0, abs=0.01)
    assert not torch.equal(dithered(wave, 1), dithered(wave, 2))
    assert torch.equal(dithered(wave, 1), dithered(wave, 1))
