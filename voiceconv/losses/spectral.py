"""Distances between the spectrograms of waves that ought to sound alike."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

FLOOR = 1e-7  # of power, as in Parallel WaveGAN's code: log() of an empty bin
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
