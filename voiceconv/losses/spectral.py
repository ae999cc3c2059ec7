"""Distances between the spectrograms of waves that should sound alike."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

FLOOR = 1e-7  # of power, as in Parallel WaveGAN's code: log() of an empty bin
QUIETEST = 1e-4  # magnitudes below it are treated as equal
LOUDEST = 5.0  # times the mean magnitude: the highest weight of a bin's phase
Resolution = tuple[int, int, int]  # FFT size, window length, hop, in samples


def multi_resolution_stft_loss(
    estimate: Tensor, reference: Tensor, resolutions: Sequence[Resolution]
) -> Tensor:
    """Waves (B, N) -> spectral convergence + L1 of log magnitudes, averaged over resolutions.

    Yamamoto et al. 2020, "Parallel WaveGAN", ICASSP, eq. 3 to 6.
    """
    terms = []
    for resolution in resolutions:
        spoken, wanted = magnitudes(estimate, *resolution), magnitudes(reference, *resolution)
        terms.append(torch.linalg.norm(wanted - spoken) / torch.linalg.norm(wanted))
        terms.append(F.l1_loss(spoken.log(), wanted.log()))
    return torch.stack(terms).sum() / len(resolutions)


def magnitudes(waves: Tensor, n_fft: int, window_length: int, hop_length: int) -> Tensor:
    """(B, N) -> (B, F, T), floored."""
    spectra = torch.stft(
        waves,
        n_fft,
        hop_length,
        window_length,
        torch.hann_window(window_length, device=waves.device),
        return_complex=True,
    )
    return (spectra.real.square() + spectra.imag.square()).clamp_min(FLOOR).sqrt()


def magnitude_loss(log_magnitudes: Tensor, spectra: Tensor) -> Tensor:
    """(B, F, T) and complex (B, F, T) -> mean absolute difference of log-magnitudes, in nepers.

    Ai and Ling 2023, "APNet", arXiv:2305.07952, eq. 5, of absolute differences for its squares.
    """
    wanted = spectra.abs().clamp_min(QUIETEST).log()
    return F.l1_loss(log_magnitudes.clamp_min(math.log(QUIETEST)), wanted)


def phase_losses(phases: Tensor, spectra: Tensor) -> tuple[Tensor, Tensor]:
    """(B, F, T) and complex (B, F, T) -> distances of group delay and of frequency, in radians.

    Phase differences between neighbours in F, and in T: APNet's eq. 11 and 13. Magnitudes do not
    determine an absolute phase. Ours: bins are weighted by magnitude, because phases of inaudible
    bins are noise.
    """
    magnitudes = spectra.abs()
    mean = magnitudes.mean((1, 2), keepdim=True).clamp_min(QUIETEST)
    loudness = (magnitudes / mean).clamp_max(LOUDEST)
    error = phases - spectra.angle()
    group_delay = unwrapped(error.diff(dim=1)) * loudness[:, 1:]
    frequency = unwrapped(error.diff(dim=2)) * loudness[..., 1:]
    return group_delay.mean(), frequency.mean()


def unwrapped(angles: Tensor) -> Tensor:
    """Distance to the nearest multiple of 2 pi: 0..pi."""
    return (angles - 2 * math.pi * torch.round(angles / (2 * math.pi))).abs()
