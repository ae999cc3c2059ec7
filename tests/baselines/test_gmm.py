"""The joint density against closed forms, and the baseline on pairs that a matrix relates."""

import numpy as np
import pytest
import torch

from voiceconv.baselines.gmm import MAPPED, JointDensity, MixtureTranslator, Regression
from voiceconv.errors import InputError


def jointly_gaussian(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (n, 2), y (n, 2), deviating by 0.5 from E[y | x] = 1 + x @ slope; slope (2, 2)."""
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal([0.0, 2.0], [[1.0, 0.3], [0.3, 0.5]], n)
    slope = np.array([[0.8, -0.4], [0.1, 0.6]])
    return x, 1 + x @ slope + 0.5 * rng.standard_normal((n, 2)), slope


def fake_deltas(frames: np.ndarray, seed: int) -> np.ndarray:
    """(N, C) -> (N, 2C): deltas that say nothing."""
    return np.concatenate([frames, np.random.default_rng(seed).standard_normal(frames.shape)], 1)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_of_one_gaussian_the_mean_is_the_linear_regression(n_classes):
    """E[y | x] in closed form: within 0.02 with one class of 20 000 samples, 0.1 with three."""
    x, y, slope = jointly_gaussian(20_000)
    density = JointDensity(fake_deltas(x, 1), fake_deltas(y, 2), n_classes)
    mean, variance = density.predict(fake_deltas(x[:500], 3))
    error = np.abs(mean[:, :2] - (1 + x[:500] @ slope))
    if n_classes == 1:
        assert error.max() < 0.05
        np.testing.assert_allclose(variance[:, :2], 0.25, rtol=0.05)
        np.testing.assert_allclose(variance[:, 2:], 1.0, rtol=0.05)
    assert error.mean() < (0.02 if n_classes == 1 else 0.1)


def test_one_class_is_least_squares_to_the_digit():
    """np.linalg.lstsq on the same samples, deltas among them."""
    x, y, _ = jointly_gaussian(2000)
    x, y = fake_deltas(x, 1), fake_deltas(y, 2)
    mean, _ = JointDensity(x, y, 1, floor=0.0).predict(x)
    design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(mean, expected, atol=1e-9)


def test_two_classes_have_a_regression_each():
    """y = 2 x around -5, y = -x around 5: one line would be far from both."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-5, 1, (2000, 1)), rng.normal(5, 1, (2000, 1))])
    y = np.where(x < 0, 2 * x, -x) + 0.05 * rng.standard_normal(x.shape)
    density = JointDensity(fake_deltas(x, 1), fake_deltas(y, 2), 2)
    mean, _ = density.predict(fake_deltas(np.array([[-6.0], [-4.0], [4.0], [6.0]]), 3))
    np.testing.assert_allclose(mean[:, 0], [-12, -8, -4, -6], atol=0.1)


def smooth_frames(n_frames: int, seed: int) -> torch.Tensor:
    """(T, 36) of unit variance, slow enough for deltas to mean something."""
    rng = np.random.default_rng(seed)
    walk = np.stack(
        [np.convolve(one, np.hanning(15), "same") for one in rng.standard_normal((36, n_frames))], 1
    )
    return torch.from_numpy(walk / walk.std(0)).float()


@pytest.mark.slow
def test_what_is_mapped_and_what_stays():
    """Targets are -0.9 times the sources: c1 to c24 follow, power and the finest detail stay."""
    pairs = []
    for seed in range(4):
        source = smooth_frames(400, seed)
        target = source.clone()
        target[:, MAPPED] *= 0.9
        pairs.append((source, target))
    asked = []
    translator = MixtureTranslator(lambda *ids: (asked.append(ids), pairs)[1])
    frames = smooth_frames(200, 9).T[None]
    got = translator(frames, 1, 0)
    again = translator(frames, 1, 0)
    assert asked == [(1, 0)]
    assert torch.equal(got, again)
    assert got.shape == frames.shape and got.dtype == frames.dtype
    assert torch.equal(got[:, 0], frames[:, 0])
    assert torch.equal(got[:, MAPPED.stop :], frames[:, MAPPED.stop :])
    error = (got - 0.9 * frames)[:, MAPPED].square().mean().sqrt()
    assert error < 0.15


def test_pairs_of_fewer_frames_than_classes_are_refused():
    """48 frames aligned with themselves, every third learnt from, are 16; 45 are 15."""
    enough, fewer = ([(smooth_frames(n, 0), smooth_frames(n, 0))] for n in (48, 45))
    with pytest.raises(InputError, match="has 16 classes, and its pairs 15 frames to learn from"):
        Regression(fewer)
    assert Regression(enough)(smooth_frames(20, 1).double().numpy()).shape == (20, 36)


def test_two_fits_are_equal_to_the_bit():
    pairs = [(smooth_frames(300, seed), smooth_frames(320, seed + 50)) for seed in range(3)]
    frames = smooth_frames(100, 9).T[None]
    one, other = (MixtureTranslator(lambda *ids: pairs)(frames, 0, 1) for _ in range(2))
    assert torch.equal(one, other)
