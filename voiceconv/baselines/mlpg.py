"""Maximum likelihood parameter generation: a smooth trajectory from frames and deltas.

Tokuda et al. 2000, "Speech parameter generation algorithms for HMM-based speech synthesis", ICASSP;
in conversion: Toda, Black and Tokuda 2007, IEEE Trans. ASLP 15(8).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

Frames = NDArray[np.float64]


def with_deltas(frames: Frames) -> Frames:
    """(T, C) -> (T, 2C): frames and deltas (half the difference of a frame's neighbours)."""
    return np.concatenate([frames, _difference(len(frames)) @ frames], axis=1)


def generate(mean: Frames, variance: Frames) -> Frames:
    """Means and variances (T, 2C) of frames and deltas -> the most likely frames (T, C).

    Toda et al. 2007, section III, one class a frame, the covariances D diagonal:
    (W' D^-1 W)^-1 W' D^-1 E, a banded system for each channel.
    """
    n_frames, n_channels = len(mean), mean.shape[1] // 2
    window = sparse.vstack([sparse.eye_array(n_frames), _difference(n_frames)]).tocsr()  # (2T, T)
    trajectory = np.empty((n_frames, n_channels))
    for channel in range(n_channels):
        both = [channel, n_channels + channel]  # the channel's frames and its deltas
        precision = 1 / variance[:, both].T.ravel()  # (2T,)
        normal = window.T @ sparse.diags_array(precision) @ window  # (T, T), five diagonals
        right = window.T @ (precision * mean[:, both].T.ravel())
        trajectory[:, channel] = spsolve(normal.tocsc(), right, permc_spec="NATURAL")
    return trajectory


def _difference(n_frames: int) -> sparse.csr_array:
    """(T, T): row t gives (x[t + 1] - x[t - 1]) / 2; the first and last frame are repeated."""
    ahead, behind = (sparse.eye_array(n_frames, k=step).tolil() for step in (1, -1))
    ahead[-1, -1] = behind[0, 0] = 1
    return ((ahead - behind) / 2).tocsr()
