"""Resampling as a wave comes in: near soxr's, whatever the chunks, a millisecond late."""

import pytest
import torch

from voiceconv.audio import resample
from voiceconv.audio.streams import StreamResampler


def tones(rate: int, seconds: float = 0.25) -> torch.Tensor:
    time = torch.arange(int(rate * seconds), dtype=torch.float64) / rate
    return sum(0.2 * torch.sin(2 * torch.pi * f * time + f) for f in (110, 997, 3000)).float()


@pytest.mark.parametrize("from_rate", [8000, 16000, 22050, 44100, 48000, 96000, 192000])
def test_it_is_near_soxr(from_rate):
    wave = tones(from_rate)
    stream = StreamResampler(from_rate, 24000)
    found = torch.cat([stream.push(wave), stream.flush()])
    wanted = resample(wave, from_rate, 24000)
    assert len(found) == len(wanted)
    error = (found - wanted)[300:-300].square().mean() / wanted.square().mean()
    assert 10 * error.log10() < -60
    assert stream.delay / from_rate < 0.0023


def test_what_would_alias_is_gone():
    time = torch.arange(12000, dtype=torch.float64) / 48000
    wave = torch.sin(2 * torch.pi * 15000 * time).float()
    stream = StreamResampler(48000, 24000)
    assert stream.push(wave)[200:-200].abs().max() < 1e-3


@pytest.mark.parametrize("sizes", [1, 7, 160, 4411])
def test_chunks_make_no_difference(sizes):
    wave = tones(44100, 0.1)
    whole, parts = StreamResampler(44100, 24000), StreamResampler(44100, 24000)
    once = torch.cat([whole.push(wave), whole.flush()])
    many = [parts.push(wave[n : n + sizes]) for n in range(0, len(wave), sizes)]
    assert torch.equal(torch.cat([*many, parts.flush()]), once)


def test_no_sample_waits_longer_than_the_delay():
    stream = StreamResampler(48000, 24000)
    for _ in range(400):
        stream.push(torch.zeros(37))
        assert stream.n_out >= (stream.n_in - stream.delay) / 2
        assert len(stream._kept) <= 2 * stream.delay + 2  # memory is flat


def test_equal_rates_pass_through():
    stream = StreamResampler(24000, 24000)
    wave = torch.randn(50)
    assert torch.equal(stream.push(wave), wave) and stream.delay == 0
    assert len(stream.flush()) == 0
