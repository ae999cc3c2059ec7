"""Vocos against the paper's size, torch's inverse STFT and, once, the authors' code.

The code is gemelo-ai/vocos at c859e3b, its parameters set as `filled` does.
"""

import pytest
import torch
from networks import filled, waves

from voiceconv.errors import InputError
from voiceconv.models.vocos import BandedSpectrum, InverseStft, MultiResolutionDiscriminator, Vocos


def n_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_sizes_are_the_papers():
    assert n_parameters(Vocos(100, 256)) == 13_531_650  # 13.5 M in the paper
    assert n_parameters(MultiResolutionDiscriminator()) == 1_413_990  # as in the authors' code


@torch.no_grad()
def test_waves_are_those_of_the_authors_code():
    expected = [-1.423452, -1.503934, -0.844605, 6.339931, 1.806823]
    network = filled(Vocos(6, 4, n_fft=16, channels=8, hidden=12, n_blocks=2)).double()
    made = network(waves(1, 6, 12).double())[0]
    assert made.shape == (48,)
    assert made[:44:9].tolist() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(1024, 256), (64, 16), (64, 8)])
def test_inverse_stft_is_torchs(n_fft, hop_length):
    spectra = torch.randn(2, n_fft // 2 + 1, 20, dtype=torch.complex64)
    spectra[:, [0, -1]] = spectra[:, [0, -1]].real.to(spectra.dtype)
    ours = InverseStft(n_fft, hop_length)(spectra.real, spectra.imag)
    theirs = torch.istft(spectra, n_fft, hop_length, window=torch.hann_window(n_fft))
    assert ours.shape == (2, 20 * hop_length)
    assert theirs.shape == (2, 19 * hop_length)  # ends on the last frame's centre
    torch.testing.assert_close(ours[:, : 19 * hop_length], theirs, atol=1e-5, rtol=0)


def test_inverse_stft_gives_back_a_wave_to_its_last_hop():
    wave = waves(1, 4096)
    spectra = torch.stft(
        wave, 1024, 256, window=torch.hann_window(1024), return_complex=True, pad_mode="constant"
    )
    again = InverseStft(1024, 256)(spectra.real, spectra.imag)[:, : wave.shape[1]]
    torch.testing.assert_close(again, wave, atol=1e-5, rtol=0)


def test_inverse_stft_wants_whole_hops_on_both_sides_of_a_centre():
    with pytest.raises(ValueError, match="n_fft 1024 is no multiple of twice hop_length 300"):
        InverseStft(1024, 300)


def test_inverse_stft_wants_two_windows_over_its_last_samples():
    """With one they are divided by a window that ends in 0: 1e4 times as loud as the others."""
    with pytest.raises(ValueError, match="n_fft 512 is less than four times hop_length 256"):
        InverseStft(512, 256)
    spectra = torch.randn(1, 513, 20, dtype=torch.complex64)
    wave = InverseStft(1024, 256)(spectra.real, spectra.imag)
    assert wave[:, -256:].abs().max() < 3 * wave[:, :-256].abs().max()


@torch.no_grad()
def test_magnitudes_are_bounded():
    # exp(1000) is infinite: the authors clip at 100, and so no wave is louder than 100 a bin.
    network = Vocos(6, 4, n_fft=16, channels=8, hidden=12, n_blocks=2)
    network.head.bias[:9] = 1000.0
    network.head.bias[9:] = 0.0  # phase 0: each segment is an impulse of 100
    network.head.weight.zero_()
    impulse = network(waves(1, 6, 5))[0]
    assert impulse.abs().max() == pytest.approx(0.0, abs=1e-4)  # where the window is zero
    network.head.bias[9:] = torch.pi * torch.arange(9)  # an impulse in the segment's middle
    made = network(waves(1, 6, 5))[0]
    # 100 times a window of 1, over the sum of squares of Hann windows a quarter apart, 1.5.
    assert made[4:16:4].tolist() == pytest.approx([100 / 1.5] * 3, rel=1e-4)


@torch.no_grad()
def test_one_verdict_a_resolution_with_all_bands_outputs_but_the_first_layers():
    verdicts = MultiResolutionDiscriminator((512, 256, 128), channels=4)(waves(2, 2048))
    assert len(verdicts) == 3
    # 4 of 5 layers in each of 5 bands, and the logits.
    assert [len(verdict.features) for verdict in verdicts] == [21, 21, 21]
    # 257 bins: bands of 25, 39, 64, 64, 65 in 17 frames, halved thrice, rounded up: 4, 5, 8, 8, 9.
    assert verdicts[0].logits.shape == (2, 1, 17, 34)
    assert [tuple(f.shape) for f in verdicts[0].features[:4]] == [
        (2, 4, 17, width) for width in (13, 7, 4, 4)
    ]


@torch.no_grad()
def test_verdicts_are_those_of_the_authors_code():
    expected = [-2.276619, -0.3773882, -0.3773863, -0.3773813, -0.3772655]
    wave = waves(2, 600) * torch.linspace(0, 1, 600)
    logits = filled(BandedSpectrum(64, 32)).double()(wave.double()).logits
    assert logits[1, 0, ::8, 3].tolist() == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_level_and_offset_tell_nothing():
    network = MultiResolutionDiscriminator((256,), channels=4)
    (soft,), (loud,) = network(0.01 * waves(1, 2048)), network(0.9 * waves(1, 2048) + 0.1)
    torch.testing.assert_close(soft.logits, loud.logits, atol=1e-4, rtol=0)


def tone_spectra() -> tuple[torch.Tensor, torch.Tensor]:
    """A sweep of six harmonics: its wave, and the STFT of it that is all inside the wave."""
    time = torch.arange(64 * 60, dtype=torch.float64) / 8000
    wave = sum(torch.sin(2 * torch.pi * k * (150 * time + 40 * time**2)) / k for k in range(1, 7))
    real, imaginary = InverseStft(256, 64).double().stft(wave[None])
    return wave[None], torch.complex(real, imaginary)


def test_what_agrees_already_is_not_refined():
    """The phases of a wave are Griffin and Lim's fixed point."""
    wave, spectra = tone_spectra()
    unit = spectra / spectra.abs().clamp_min(1e-9)
    stft = InverseStft(256, 64).double()
    real, imaginary = stft.refine(spectra.abs(), unit.real, unit.imag, 5)
    again = stft(spectra.abs() * real, spectra.abs() * imaginary)
    torch.testing.assert_close(again, wave, atol=1e-4, rtol=0)


def test_refinement_makes_phases_agree():
    """Share of the spectrum that its own inverse loses; from no phases at all."""
    _, spectra = tone_spectra()
    magnitudes, stft = spectra.abs(), InverseStft(256, 64).double()
    lost = []
    for n_iterations in (0, 4, 16):
        real, imaginary = torch.ones_like(magnitudes), torch.zeros_like(magnitudes)
        real, imaginary = stft.refine(magnitudes, real, imaginary, n_iterations)
        again = torch.complex(*stft.stft(stft(magnitudes * real, magnitudes * imaginary)))
        lost.append(((again.abs() - magnitudes).norm() / magnitudes.norm()).item())
    assert lost[0] > 0.5
    assert lost[1] < 0.6 * lost[0]
    assert lost[2] < 0.3 * lost[0]


def test_waves_teach_magnitudes_and_not_refined_phases():
    network = Vocos(6, 16, n_fft=64, channels=8, hidden=12, n_blocks=2, n_refinements=2)
    log_magnitudes = torch.zeros(1, 33, 9, requires_grad=True)
    phases = torch.randn(1, 33, 9, requires_grad=True)
    network.waves(log_magnitudes, phases).square().sum().backward()
    assert log_magnitudes.grad.abs().max() > 0 and phases.grad is None
    network.n_refinements = 0
    network.waves(log_magnitudes, phases).square().sum().backward()
    assert phases.grad.abs().max() > 0


def test_levels_begin_as_they_are_told():
    """The head at 0: what is left is weight @ frame + bias."""
    network = Vocos(6, 16, n_fft=64, channels=8, hidden=12, n_blocks=2, with_levels=True)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    weight, bias, frames = torch.randn(33, 6), torch.randn(33), torch.randn(2, 6, 9)
    network.start_from(weight, bias)
    log_magnitudes, phases = network.spectra(frames)
    torch.testing.assert_close(log_magnitudes, weight @ frames + bias[:, None])
    assert (phases == 0).all()
    assert n_parameters(network) - n_parameters(Vocos(6, 16, 64, 8, 12, 2)) == 33 * 7
    with pytest.raises(InputError, match=r"generator.n_fft is 64, the features' 128: .*with_lev"):
        network.start_from(torch.randn(65, 6), torch.randn(65))
