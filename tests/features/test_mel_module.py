"""LogMel, the module: a batch of waves at once, gradients, the same numbers everywhere."""

import pytest
import torch

from voiceconv.features import LogMel, MelSpectrogram

SPECS = [
    {},
    {"power": 2.0, "log": "10", "norm": None, "window": "hamming", "win_length": 12},
]
TINY = {"sample_rate": 16000, "n_fft": 16, "hop_length": 4, "n_mels": 3, "f_min": 500.0}


@pytest.mark.parametrize("changed", SPECS)
def test_its_gradient_is_that_of_finite_differences(changed):
    log_mel = LogMel(MelSpectrogram(**TINY | changed).spec).double()
    waves = torch.randn(2, 21, dtype=torch.float64, requires_grad=True)
    assert log_mel(waves).shape == (2, 3, 6)
    assert torch.autograd.gradcheck(log_mel, waves)


@pytest.mark.parametrize("changed", SPECS)
def test_silence_has_a_gradient_of_zero(changed):
    """Of digital silence the magnitude has no derivative, and a NaN would end a training."""
    waves = torch.zeros(1, 64, requires_grad=True)
    LogMel(MelSpectrogram(**TINY | changed).spec)(waves).sum().backward()
    assert torch.equal(waves.grad, torch.zeros(1, 64))


@pytest.mark.parametrize("n_samples", [100, 513, 6000])
@pytest.mark.parametrize("changed", [{}, {"power": 2.0, "log": "10", "win_length": 800}])
def test_a_batch_is_its_waves_one_by_one(changed, n_samples):
    mel = MelSpectrogram(24000, **changed)
    waves = 0.1 * torch.randn(3, n_samples)
    frames = LogMel(mel.spec)(waves)
    assert frames.shape == (3, 80, n_samples // 256 + 1)
    alone = torch.stack([mel.extract(wave).frames for wave in waves])
    torch.testing.assert_close(frames, alone, atol=1e-5, rtol=0)


def test_mixed_precision_leaves_it_alone():
    log_mel, waves = LogMel(MelSpectrogram().spec), torch.randn(1, 6000)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = log_mel(waves)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, log_mel(waves))


def test_checkpoints_hold_nothing_of_it():
    """Its tensors follow from the spec; they do move with `to`."""
    log_mel = LogMel(MelSpectrogram().spec)
    assert log_mel.state_dict() == {}
    assert {name for name, _ in log_mel.to(torch.float64).named_buffers()} == {"filters", "window"}
    assert log_mel.filters.dtype == log_mel.window.dtype == torch.float64
