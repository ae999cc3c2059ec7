"""Hand-computed distortions; cepstra against SPTK's definition."""

import math

import numpy as np
import pytest
import torch

from voiceconv.data.alignment import align
from voiceconv.features.mel_cepstrum import MelCepstrum
from voiceconv.metrics import mel_cepstral_distortion as mcd
from voiceconv.metrics.analysis import analyse

# Our own score of the first version, to notice changes.
STORED = 4.423528996711528
# pysptk 1.0.1, sp2mc(resonances(), 24, 0.42)[:8].
SPTK = [
    4.62515242193,
    3.917141265945,
    -3.140458114115,
    0.175600271296,
    -1.138465968933,
    -0.135752132182,
    0.029690360186,
    -0.962565458235,
]


def vowel(pitch: float = 120.0, seconds: float = 0.3, tilt: float = 0.8) -> np.ndarray:
    """A buzz at 16 kHz whose harmonics fall by `tilt` each, over a floor of noise."""
    t = np.arange(int(16000 * seconds)) / 16000
    buzz = sum(tilt**k * np.cos(2 * np.pi * k * pitch * t) for k in range(1, 30))
    return 0.3 * buzz + 1e-3 * np.random.default_rng(0).standard_normal(len(t))


def test_distortion_of_one_frame_by_hand():
    # One coefficient off by 1: 10 / ln 10 * sqrt(2) = 6.1419 dB. Off by (3, 4): five times that.
    assert mcd.distortion(np.zeros((1, 2)), np.array([[1.0, 0.0]])) == pytest.approx(6.141851463713)
    assert mcd.distortion(np.zeros((1, 2)), np.array([[3.0, 4.0]])) == pytest.approx(
        30.709257318565
    )


def test_distortion_is_averaged_over_the_path():
    # [0, 1] against [0, 1, 3]: the path (0,0) (1,1) (1,2) costs 0, 0 and 2.
    reference, estimated = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0], [3.0]])
    assert align(reference, estimated).tolist() == [[0, 0], [1, 1], [1, 2]]
    expected = 10 / math.log(10) * math.sqrt(2) * 2 / 3
    assert mcd.distortion(reference, estimated) == pytest.approx(expected, abs=1e-12)


def test_slow_repeats_of_a_frame_cost_nothing():
    frames = np.random.default_rng(0).standard_normal((7, 3))
    assert mcd.distortion(frames, np.repeat(frames, 3, axis=0)) == 0.0


def test_identical_waves_and_louder_ones_give_zero():
    wave = vowel()
    assert mcd.evaluate(wave, wave) == {"mel_cepstral_distortion": 0.0}
    # Scaled to one peak: level is no distortion.
    assert mcd.evaluate(wave, 0.25 * wave)["mel_cepstral_distortion"] == pytest.approx(0, abs=1e-6)


def test_quiet_frames_are_left_out():
    wave = vowel()
    silence = 1e-5 * np.random.default_rng(1).standard_normal(8000)
    padded = np.concatenate([silence, wave, silence])
    assert analyse(padded).counted.sum() < analyse(wave).counted.sum() + 12


def test_a_stored_score():
    scores = mcd.evaluate(vowel(120.0, 0.3, 0.8), vowel(150.0, 0.4, 0.7))
    assert scores["mel_cepstral_distortion"] == pytest.approx(STORED, abs=1e-9)


def test_cepstra_reproduce_the_spectrum_that_defines_them():
    # log|H| = c0 + c1 cos v + c2 cos 2v with chosen c, evaluated directly from the definition.
    w = np.linspace(0, np.pi, 513)
    v = w + 2 * np.arctan2(0.42 * np.sin(w), 1 - 0.42 * np.cos(w))
    power = np.exp(2 * (0.5 + 0.3 * np.cos(v) - 0.2 * np.cos(2 * v)))
    got = MelCepstrum(25, 1024, 0.42).encode(torch.from_numpy(power[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(got, [0.5, 0.3, -0.2, *[0.0] * 22], atol=1e-12)


def resonances() -> np.ndarray:
    """A power spectrum (513,) with three formants."""
    w = np.linspace(0, np.pi, 513)
    poles = [0.97 * np.exp(1j * angle) for angle in (0.25, 0.6, 1.3)]
    response = np.prod([1 / abs(1 - p * np.exp(-1j * w)) ** 2 for p in poles], axis=0)
    return response**2


def test_cepstra_equal_sptk_stored():
    got = MelCepstrum(25, 1024, 0.42).encode(torch.from_numpy(resonances()[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(got[: len(SPTK)], SPTK, atol=1e-9)


def test_cepstra_equal_sptk():
    pysptk = pytest.importorskip("pysptk")
    power = resonances()
    got = MelCepstrum(25, 1024, 0.42).encode(torch.from_numpy(power[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(got, pysptk.sp2mc(power, 24, 0.42), atol=1e-9)


@pytest.mark.parametrize(
    ("wave", "sentence"),
    [
        (np.zeros((2, 4000)), r"the estimate has shape \(2, 4000\); give a mono wave"),
        (np.ones(4000, np.int16), "the estimate holds int16 samples"),
        (np.ones(1000), "the estimate has 1000 samples; at least 1024"),
        (np.full(4000, np.nan), "the estimate holds NaN or infinite samples"),
    ],
)
def test_validate_refuses(wave, sentence):
    with pytest.raises(ValueError, match=sentence):
        mcd.validate(vowel(), wave)


@pytest.mark.parametrize("shape", [(3, 2), (0, 3), (3,)])
def test_align_refuses_what_has_no_path(shape):
    with pytest.raises(ValueError, match="cannot align"):
        align(np.zeros((4, 3)), np.zeros(shape))
