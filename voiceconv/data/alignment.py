"""Dynamic time warping of two sequences of frames. Sakoe and Chiba 1978, IEEE Trans. ASSP-26(1)."""

import numpy as np
from numpy.typing import NDArray

from voiceconv.optional import load

librosa = load("librosa", "alignment", "librosa", extra="")


def align(reference: NDArray[np.float64], estimated: NDArray[np.float64]) -> NDArray[np.int64]:
    """(T, K) and (U, K) -> (P, 2): the path's pairs of frames, from (0, 0) to (T - 1, U - 1).

    Euclidean distance; steps (1, 1), (1, 0) and (0, 1) at equal weight, librosa's own choice.
    Time and memory grow with T x U.
    """
    if reference.ndim != 2 or estimated.ndim != 2 or reference.shape[1] != estimated.shape[1]:
        raise ValueError(
            f"cannot align frames of shapes {reference.shape} and {estimated.shape}; "
            "give (T, K) and (U, K)"
        )
    if not len(reference) or not len(estimated):
        raise ValueError("cannot align a sequence without a frame")
    _, path = librosa.sequence.dtw(reference.T, estimated.T, metric="euclidean")
    return path[::-1]  # librosa walks backwards
