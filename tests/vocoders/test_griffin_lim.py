"""Griffin-Lim inverts whatever a mel definition may say."""

import pytest
import torch
from tiny_model import RATE, speech

from voiceconv.features import MelSpectrogram
from voiceconv.vocoders import GriffinLim

SPECS = [
    {},
    {"window": "hamming"},
    {"win_length": 400},
    {"mel_scale": "htk", "norm": None},
    {"power": 2.0, "floor": 1e-9},
    {"log": "10"},
    {"power": 2.0, "log": "10", "window": "hamming", "win_length": 400, "floor": 1e-9},
]


@pytest.mark.parametrize("changed", SPECS, ids=str)
def test_frames_come_back_from_the_wave_at_its_level(changed):
    """To 0.15 nepers of magnitude a channel and frame on average; 1.5 dB of level."""
    mel = MelSpectrogram(RATE, 512, 128, 40, **changed)
    wave = speech("low", 0.5)
    before = mel.extract(wave)
    made = GriffinLim(mel, n_iterations=32).synthesize(before)[: len(wave)]
    moved = (mel.extract(made).frames - before.frames).abs().mean()
    assert moved * mel.spec.log_unit / mel.spec.power < 0.15
    assert 20 * torch.log10(made.std() / wave.std()) == pytest.approx(0.0, abs=1.5)


def test_its_window_is_the_spectrums():
    """The ear would not tell: with the other window frames come back as well."""
    made = GriffinLim(MelSpectrogram(RATE, 512, 128, 40, window="hamming", win_length=400))
    assert torch.equal(made._griffin_lim.window, torch.hamming_window(400))
