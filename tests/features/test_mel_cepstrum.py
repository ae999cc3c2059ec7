"""The mel-cepstrum is SPTK's: by its definition, and by numbers that SPTK itself gave."""

import math

import numpy as np
import pytest
import torch

from voiceconv.features.mel_cepstrum import MelCepstrum, all_pass_alpha, warp

N_FFT = 1024
ALPHA = 0.41

# pysptk 1.0.1: sp2mc(power, order=23, alpha=0.41) of the spectrum that `power` makes.
SP2MC = [
    -0.7176486924456158, 0.7182446037655849, 0.00376868987021522, 0.19117819947256431,
    -0.20475148644311625, 0.1713333875429136, -0.10044642494005329, 0.05816270831319346,
    -0.02304400227532359, 0.00974170534566357, 0.00136310601270225, -0.00260020195732191,
    0.0056612731735181, -0.00409762282649099, 0.00510297708758773, -0.00340053817989205,
    0.00395453782550672, -0.00258923077772765, 0.00303677261486838, -0.00198621007734528,
    0.00238557510704263, -0.00156504550097964, 0.00192362916430859, -0.00126642646249098,
]  # fmt: skip
# pysptk 1.0.1: mc2sp(the above, alpha=0.41, fftlen=1024) at these bins.
BINS = [0, 1, 32, 100, 256, 400, 512]
MC2SP = [
    1.252225748614142, 1.2513538966274242, 0.9139478201695523, 0.28032638286671,
    0.18453670796790117, 0.0458032432595078, 0.01357264718604526,
]  # fmt: skip


@pytest.fixture
def power() -> torch.Tensor:
    """(F, 1) a smooth power spectrum that no few cosines describe."""
    w = torch.linspace(0, math.pi, N_FFT // 2 + 1, dtype=torch.float64)
    return (1.5 * w.cos() + 0.8 * (3 * w + 0.4).cos() - 2.0).exp()[:, None]


def test_encode_equals_sptk(power):
    found = MelCepstrum(24, N_FFT, ALPHA).encode(power)[:, 0].numpy()
    np.testing.assert_allclose(found, SP2MC, atol=1e-12, rtol=0)


def test_decode_equals_sptk():
    cepstrum = torch.tensor(SP2MC, dtype=torch.float64)[:, None]
    found = MelCepstrum(24, N_FFT, ALPHA).decode(cepstrum)[BINS, 0].numpy()
    np.testing.assert_allclose(found, MC2SP, rtol=1e-12)


def test_decode_equals_its_definition():
    """log|H(w)| = sum_m c_m cos(m v(w)), one frequency and one order after the other."""
    n_fft, alpha = 16, 0.35
    c = [0.3, -0.2, 0.15, 0.05]
    found = MelCepstrum(4, n_fft, alpha).decode(torch.tensor(c)[:, None])[:, 0]
    for k in range(n_fft // 2 + 1):
        w = 2 * math.pi * k / n_fft
        v = w + 2 * math.atan(alpha * math.sin(w) / (1 - alpha * math.cos(w)))
        log_magnitude = sum(c[m] * math.cos(m * v) for m in range(4))
        assert found[k].item() == pytest.approx(math.exp(2 * log_magnitude), rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.31, 0.47])
def test_what_coefficients_describe_comes_back(alpha):
    mel_cepstrum = MelCepstrum(24, N_FFT, alpha)
    cepstrum = torch.randn(24, 5, dtype=torch.float64) / torch.arange(1, 25)[:, None]
    back = mel_cepstrum.encode(mel_cepstrum.decode(cepstrum))
    assert (back - cepstrum).abs().max() < 1e-10


def test_an_envelope_with_formants_comes_back_to_half_a_decibel():
    """Four resonances of 120 Hz width at 24 kHz, smoothed by 0.51 dB (root mean square)."""
    z = torch.polar(torch.ones(513, dtype=torch.float64), -torch.linspace(0, math.pi, 513).double())
    envelope = torch.ones(513, dtype=torch.float64)
    for formant in (500, 1500, 2500, 3500):
        pole = math.exp(-math.pi * 120 / 24000)
        angle = 2 * math.pi * formant / 24000
        envelope /= (1 - 2 * pole * math.cos(angle) * z + pole**2 * z**2).abs().square()
    mel_cepstrum = MelCepstrum(36, N_FFT, all_pass_alpha(24000))
    back = mel_cepstrum.decode(mel_cepstrum.encode(envelope[:, None]))[:, 0]
    assert (10 * (back / envelope).log10()).square().mean().sqrt() < 0.55


def test_a_flat_spectrum_has_c0_alone():
    """|H|^2 = e^2 everywhere: c0 = 1."""
    c = MelCepstrum(8, 64, 0.42).encode(torch.full((33, 1), math.e**2, dtype=torch.float64))[:, 0]
    # The trapezoid rule on 33 points: exact to what 0.42 ** 32 leaves.
    np.testing.assert_allclose(c.numpy(), [1.0] + 7 * [0.0], atol=1e-9)


def test_zero_power_stays_finite():
    assert MelCepstrum(8, 64, 0.42).encode(torch.zeros(33, 2)).isfinite().all()


def test_it_keeps_the_floating_type_of_the_spectrum(power):
    assert MelCepstrum(8, N_FFT, ALPHA).encode(power.float()).dtype == torch.float32
    assert MelCepstrum(8, N_FFT, ALPHA).decode(torch.zeros(8, 1)).dtype == torch.float64


@pytest.mark.parametrize(
    ("sample_rate", "alpha"),
    [(8000, 0.31), (16000, 0.41), (22050, 0.45), (24000, 0.47), (44100, 0.54)],
)
def test_alpha_by_sample_rate(sample_rate, alpha):
    assert all_pass_alpha(sample_rate) == alpha


def test_the_warp_keeps_both_ends_and_bends_low_frequencies_apart():
    ends = warp(torch.tensor([0.0, math.pi], dtype=torch.float64), 0.42)
    np.testing.assert_allclose(ends.numpy(), [0.0, math.pi], atol=1e-12)
    # The slope at 0 of a first-order all-pass is (1 + alpha) / (1 - alpha).
    small = warp(torch.tensor([1e-6], dtype=torch.float64), 0.42).item()
    assert small == pytest.approx(1e-6 * 1.42 / 0.58, rel=1e-9)
