"""Parameter generation against a dense solve, and against trajectories that are known."""

import numpy as np
import pytest

from voiceconv.baselines.mlpg import generate, with_deltas


def test_deltas_by_hand():
    """The ends stand twice: (3 - 1) / 2, (8 - 1) / 2, (8 - 3) / 2."""
    frames = np.array([[1.0], [3.0], [8.0]])
    assert with_deltas(frames).tolist() == [[1, 1], [3, 3.5], [8, 2.5]]
    assert with_deltas(frames[:1]).tolist() == [[1, 0]]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 50])
def test_it_is_the_weighted_least_squares_solution(n_frames):
    """(W' D^-1 W)^-1 W' D^-1 E, with W and D written out."""
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((n_frames, 6))
    variance = rng.uniform(0.1, 3.0, (n_frames, 6))
    window = np.zeros((2 * n_frames, n_frames))
    for t in range(n_frames):
        window[t, t] = 1
        window[n_frames + t, min(t + 1, n_frames - 1)] += 0.5
        window[n_frames + t, max(t - 1, 0)] -= 0.5
    got = generate(mean, variance)
    for channel in range(3):
        both = [channel, channel + 3]
        precision = np.diag(1 / variance[:, both].T.ravel())
        expected = np.linalg.solve(
            window.T @ precision @ window, window.T @ precision @ mean[:, both].T.ravel()
        )
        np.testing.assert_allclose(got[:, channel], expected, rtol=1e-9, atol=1e-12)


def test_means_that_agree_are_the_trajectory():
    frames = np.random.default_rng(1).standard_normal((40, 2))
    variance = np.random.default_rng(2).uniform(0.1, 3.0, (40, 4))
    np.testing.assert_allclose(generate(with_deltas(frames), variance), frames, atol=1e-9)


def test_sure_deltas_make_a_step_smooth():
    """Changes that are nearly known to be none leave a constant: the mean of a step is 0.5."""
    mean = np.zeros((20, 2))
    mean[10:, 0] = 1
    variance = np.ones((20, 2)) * [1.0, 1e-8]
    np.testing.assert_allclose(generate(mean, variance), 0.5, atol=1e-5)
