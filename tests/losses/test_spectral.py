"""Distances of spectra on waves and numbers whose distances are known."""

import math

import numpy as np
import pytest
import torch

from voiceconv.losses.spectral import (
    magnitude_loss,
    magnitudes,
    multi_resolution_stft_loss,
    phase_losses,
    unwrapped,
)
from voiceconv.metrics import copy_synthesis

RESOLUTIONS = ((256, 200, 50), (128, 128, 32))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_wave_is_at_no_distance_of_itself():
    assert multi_resolution_stft_loss(noise(2, 2000), noise(2, 2000), RESOLUTIONS).item() == 0


def test_twice_as_loud_is_one_and_the_logarithm_of_two_away():
    """Spectral convergence |S - 2 S| / |S| = 1, log magnitudes ln 2."""
    wave = 10 * noise(2, 2000)  # no bin under the floor
    loss = multi_resolution_stft_loss(2 * wave, wave, RESOLUTIONS).item()
    assert loss == pytest.approx(1 + math.log(2), abs=1e-4)


def test_it_is_the_measure_that_scores_vocoders():
    """copy_synthesis.stft_distance, which knows nothing of torch, at its own resolutions."""
    one, other = noise(8000), noise(8000, seed=1)
    ours = multi_resolution_stft_loss(one[None], other[None], copy_synthesis.RESOLUTIONS).item()
    theirs = copy_synthesis.stft_distance(other.double().numpy(), one.double().numpy())
    assert ours == pytest.approx(theirs, rel=0.02)  # edges: reflected here, silent there


def test_magnitudes_of_a_tone():
    """A sine of amplitude 1 in the middle of a bin: half the window's sum."""
    tone = torch.sin(2 * math.pi * 8 / 128 * torch.arange(2000.0))[None]
    found = magnitudes(tone, 128, 128, 32)[0, :, 20]
    assert found[8].item() == pytest.approx(32.0, rel=1e-4)  # Hann: sum 64
    assert found[30].item() == pytest.approx(math.sqrt(1e-7), rel=0.1)  # the floor


def test_magnitude_loss_by_hand():
    spectra = torch.tensor([[[1 + 0j], [3 + 4j], [0j]]])
    log_magnitudes = torch.tensor([[[0.5], [math.log(5)], [-50.0]]])
    # What is silent is silent, however silent.
    assert magnitude_loss(log_magnitudes, spectra).item() == pytest.approx(0.5 / 3)


@pytest.mark.parametrize(
    ("angle", "expected"),
    [(0.0, 0.0), (1.0, 1.0), (2 * math.pi + 1, 1.0), (-3.5, 2 * math.pi - 3.5)],
)
def test_unwrapped_by_hand(angle, expected):
    assert unwrapped(torch.tensor(angle)).item() == pytest.approx(expected, abs=1e-6)


def test_phases_are_compared_by_their_differences():
    """An angle added to all is free; one added in F is group delay alone, in T frequency alone."""
    rng = np.random.default_rng(0)
    phases = torch.from_numpy(rng.uniform(-3, 3, (2, 5, 7)))
    spectra = torch.polar(torch.ones(2, 5, 7, dtype=torch.float64), phases)
    bins, frames = torch.arange(5.0)[:, None], torch.arange(7.0)
    for turned, expected in (
        (phases + 1.3, (0.0, 0.0)),
        (phases + 0.25 * bins, (0.25, 0.0)),
        (phases + 0.5 * frames + 2 * math.pi * frames, (0.0, 0.5)),
    ):
        found = [loss.item() for loss in phase_losses(turned, spectra)]
        assert found == pytest.approx(expected, abs=1e-6)


def test_loud_bins_phases_count_for_more():
    """Relative to the mean magnitude, here 2: an error at magnitude 3 counts 1.5, at 1 0.5."""
    spectra = torch.complex(torch.tensor([[[3.0, 3.0], [1.0, 1.0]]]), torch.zeros(1, 2, 2))
    loud = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    quiet = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    assert phase_losses(loud, spectra)[1].item() == pytest.approx(1.5 / 2)
    assert phase_losses(quiet, spectra)[1].item() == pytest.approx(0.5 / 2)
