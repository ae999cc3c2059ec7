"""A bent axis moves formants where the formula says, and nothing else."""

import math

import pytest
import torch

from voiceconv.features import MelSpectrogram, World
from voiceconv.features.warping import bend, cepstral_bend, row_bend

AXIS = torch.linspace(0, math.pi, 200, dtype=torch.float64)


@pytest.mark.parametrize("beta", [-0.12, 0.0, 0.12])
@pytest.mark.parametrize("gamma", [-0.1, 0.0, 0.1])
def test_both_ends_stay_and_the_axis_rises(beta, gamma):
    bent = bend(AXIS, beta, gamma)
    assert bent[[0, -1]].tolist() == pytest.approx([0, math.pi], abs=1e-12)
    assert (bent.diff() > 0).all()


def test_the_all_pass_moves_the_middle_by_twice_the_arctangent_of_beta():
    middle = torch.tensor([math.pi / 2], dtype=torch.float64)
    assert float(bend(middle, 0.1) - middle) == pytest.approx(2 * math.atan(0.1))


@pytest.mark.parametrize("matrix", [cepstral_bend(36, 0.0), row_bend(80, 0.0)])
def test_no_bend_is_the_identity(matrix):
    assert torch.allclose(matrix, torch.eye(len(matrix)), atol=1e-6)


def test_bent_cepstra_have_the_spectrum_of_the_bent_axis():
    order = torch.arange(36, dtype=torch.float64)
    cepstrum = 0.7**order * torch.cos(order)  # a smooth spectrum: 36 coefficients hold its bend
    bent = cepstral_bend(36, 0.1, 0.02).double() @ cepstrum
    at = bend(AXIS, 0.1, 0.02)
    wanted = torch.cos(at[:, None] * order) @ cepstrum
    assert torch.allclose(torch.cos(AXIS[:, None] * order) @ bent, wanted, atol=2e-3)


def test_a_bent_row_comes_from_where_the_axis_says():
    matrix = row_bend(80, 0.1)
    assert torch.allclose(matrix.sum(1), torch.ones(80))
    ramp = torch.arange(80.0)
    place = bend((ramp.double() + 0.5) * math.pi / 80, 0.1) * 80 / math.pi - 0.5
    assert torch.allclose(matrix @ ramp, place.clamp(0, 79).float(), atol=1e-4)


@pytest.mark.parametrize(
    ("features", "most"), [(World(n_coefficients=24), 0.6), (MelSpectrogram(), 1)]
)
def test_a_vowel_bent_by_its_features_has_a_lower_formant(features, most, vowel):
    """The strongest point of the axis up to `most`: below it World has the first formant alone."""
    frames = features.extract(vowel(120.0, 0.5, features.sample_rate)).frames
    axis = torch.linspace(0, most, 500)
    peaks = []
    for one in (frames, features.bend(0.1) @ frames):
        cepstrum = features.cepstra(one).mean(1).float()
        order = torch.arange(len(cepstrum))
        peaks.append(axis[(torch.cos(axis[:, None] * order) @ cepstrum).argmax()])
    plain, bent = peaks
    assert float(bend(bent[None], 0.1)) == pytest.approx(float(plain), abs=0.03)
    assert bent < plain - 0.08
