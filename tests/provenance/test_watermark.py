"""The mark in the sound: found where it is, not where it is not; highs and rates stay."""

import sys

import pytest
import torch

from voiceconv.audio import read, resample
from voiceconv.errors import InputError
from voiceconv.model_folder import BUNDLED
from voiceconv.provenance import watermark as module
from voiceconv.provenance.watermark import FOUND, Watermark

RATE = 24_000


@pytest.fixture(scope="module")
def watermark():
    pytest.importorskip("perth", reason="the extra watermark is not installed")
    return Watermark()


@pytest.fixture(scope="module")
def wave():
    """Of a real voice: the detector takes a held synthetic vowel for marked."""
    return read(BUNDLED / "sample.wav", RATE, end=3.0).samples


@pytest.mark.parametrize("rate", [16_000, RATE, 48_000])
def test_the_mark_is_found_where_it_is_and_only_there(watermark, wave, rate):
    plain = resample(wave, RATE, rate)
    marked = watermark.mark(plain, rate)
    assert marked.shape == plain.shape and marked.dtype == plain.dtype
    assert watermark.confidence(plain, rate) < 0.2
    assert watermark.confidence(marked, rate) > 0.9
    assert watermark.confidence(resample(marked, rate, 8000), 8000) > FOUND
    assert torch.equal(watermark.mark(plain, rate), marked)


def test_nothing_changes_above_the_marks_band(watermark, wave):
    change = (watermark.mark(wave, RATE) - wave).double()
    power = torch.fft.rfft(change).abs() ** 2
    edge = round(2500 * len(wave) / RATE)
    assert 10 * torch.log10(power[edge:].sum() / power[:edge].sum()) < -30


def test_pieces_of_a_long_wave_join_without_a_step(watermark, wave, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 2)
    change = watermark.mark(wave, RATE) - wave
    assert watermark.confidence(wave + change, RATE) > 0.9
    steps = change.diff().abs()
    seams = [n for second in (1, 2, 3) for n in range(second * RATE - 50, second * RATE + 50)]
    inside = [n for n in seams if n < len(steps)]
    assert steps[inside].max() <= steps.max() and steps.max() < 0.05


def test_silence_and_what_is_too_short_stay_as_they_are(watermark):
    for wave in (torch.zeros(RATE), torch.ones(100) * 0.1, torch.zeros(0)):
        assert torch.allclose(watermark.mark(wave, RATE), wave, atol=1e-4)
        assert watermark.confidence(wave, RATE) < 0.2


def test_other_weights_and_a_missing_extra_are_refused(watermark, monkeypatch):
    monkeypatch.setattr(module, "_SHA256", "0" * 64)
    with pytest.raises(InputError, match="is not the watermark's network that this version knows"):
        Watermark()
    monkeypatch.setitem(sys.modules, "perth", None)
    with pytest.raises(InputError, match=r"pip install 'voiceconv\[watermark\]'"):
        Watermark()
