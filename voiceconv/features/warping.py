"""Bending of the frequency axis, which moves formants as another vocal tract would.

The bend of an axis v in [0, pi] is a first-order all-pass, as in vocal tract length normalisation
(Pitz and Ney 2005, IEEE Trans. SAP 13(5), section III), and a sine above it:

    u(v) = v + 2 atan(beta sin v / (1 - beta cos v)) + gamma sin 2v

What was at u comes to v, so beta > 0 lowers formants. Both ends stay where they are.
"""

import math

import torch
from torch import Tensor

from voiceconv.features.mel_cepstrum import warp

N_POINTS = 513  # of the axis, over which a bend of cepstra is integrated


def bend(v: Tensor, beta: float, gamma: float = 0.0) -> Tensor:
    """(F,) points of the axis in [0, pi] -> (F,) u(v), held within [0, pi]."""
    return (warp(v, beta) + gamma * (2 * v).sin()).clamp(0, math.pi)


def cepstral_bend(n_coefficients: int, beta: float, gamma: float = 0.0) -> Tensor:
    """The matrix (C, C) that bends cepstra (C, T): sum_m c_m cos(m u(v)), analysed again.

    What the first C coefficients cannot hold is lost.
    """
    v = torch.linspace(0, math.pi, N_POINTS, dtype=torch.float64)
    order = torch.arange(n_coefficients, dtype=torch.float64)[:, None]
    weight = torch.full((N_POINTS,), 2 / (N_POINTS - 1), dtype=torch.float64)
    weight[[0, -1]] /= 2  # trapezoid rule
    analysis = torch.cos(order * v) * weight
    analysis[0] /= 2
    return (analysis @ torch.cos(order * bend(v, beta, gamma)).T).float()


def row_bend(n_rows: int, beta: float, gamma: float = 0.0) -> Tensor:
    """The matrix (C, C) that bends frames of C rows along the axis: linear interpolation."""
    v = (torch.arange(n_rows, dtype=torch.float64) + 0.5) * (math.pi / n_rows)
    place = (bend(v, beta, gamma) * (n_rows / math.pi) - 0.5).clamp(0, n_rows - 1)
    below = place.floor().clamp_max(n_rows - 2).long()
    share = place - below
    matrix = torch.zeros(n_rows, n_rows, dtype=torch.float64)
    rows = torch.arange(n_rows)
    matrix[rows, below] = 1 - share
    matrix[rows, below + 1] += share
    return matrix.float()
