"""Dynamic time warping of two sequences of frames. Sakoe and Chiba 1978, IEEE Trans. ASSP-26(1)."""

import numpy as np
import torch
from numpy.typing import NDArray

# Of equal costs the first is taken, as librosa.sequence.dtw does, whose path this is. Its import
# (numba, scipy.signal) takes two seconds, the loop over diagonals some 30 ms for two of 5 s.
_STEPS = ((1, 1), (0, 1), (1, 0))


def align(reference: NDArray[np.float64], estimated: NDArray[np.float64]) -> NDArray[np.int64]:
    """(T, K) and (U, K) -> (P, 2): the path's pairs of frames, from (0, 0) to (T - 1, U - 1).

    Euclidean distance; steps (1, 1), (1, 0) and (0, 1) at equal weight. Time and memory grow with
    T x U.
    """
    if reference.ndim != 2 or estimated.ndim != 2 or reference.shape[1] != estimated.shape[1]:
        raise ValueError(
            f"cannot align frames of shapes {reference.shape} and {estimated.shape}; "
            "give (T, K) and (U, K)"
        )
    if not len(reference) or not len(estimated):
        raise ValueError("cannot align a sequence without a frame")
    one, other = (torch.from_numpy(frames.astype(np.float64)) for frames in (reference, estimated))
    costs = torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")
    steps = _cheapest_steps(costs.numpy())
    here = (len(reference) - 1, len(estimated) - 1)
    path = [here]
    while here != (0, 0):
        row, column = _STEPS[steps[here]]
        here = (here[0] - row, here[1] - column)
        path.append(here)
    return np.array(path[::-1])


def _cheapest_steps(costs: NDArray[np.float64]) -> NDArray[np.int8]:
    """(T, U) costs of pairs -> (T, U): which of _STEPS the cheapest path takes to each.

    Diagonal by diagonal: a pair's total takes those of the two diagonals before its own.
    """
    n_rows, n_columns = costs.shape
    steps = np.zeros((n_rows, n_columns), np.int8)
    before, last = np.full((2, n_rows + 1), np.inf)  # totals by row, from the row above the first
    last[1] = costs[0, 0]
    for diagonal in range(1, n_rows + n_columns - 1):
        rows = np.arange(max(0, diagonal - n_columns + 1), min(diagonal, n_rows - 1) + 1)
        columns = diagonal - rows
        totals = np.stack((before[rows], last[rows + 1], last[rows])) + costs[rows, columns]
        steps[rows, columns] = totals.argmin(0)
        before, last = last, np.full(n_rows + 1, np.inf)
        last[rows + 1] = totals.min(0)
    return steps
