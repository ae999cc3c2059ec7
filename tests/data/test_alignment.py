"""The path is librosa's, pair by pair."""

import librosa
import numpy as np
import pytest

from voiceconv.data.alignment import align


@pytest.mark.parametrize("rounded", [False, True], ids=["all costs differ", "many costs are equal"])
def test_the_path_is_librosas(rounded):
    rng = np.random.default_rng(0)
    for _ in range(100):
        n_first, n_second, n_channels = rng.integers(1, [40, 40, 6])
        first = rng.standard_normal((n_first, n_channels))
        second = rng.standard_normal((n_second, n_channels))
        if rounded:
            first, second = first.round(), second.round()
        _, path = librosa.sequence.dtw(first.T, second.T, metric="euclidean")
        np.testing.assert_array_equal(align(first, second), path[::-1])
