"""Loudness of a wave by ITU-R BS.1770-4, and the gain to a target loudness.

torchaudio.functional.loudness is not used: its filters clamp to [-1, 1], which the weighting's
+4 dB exceeds (-3.28 LUFS for the standard's tone of -3.01), it keeps several
copies of the audio in memory, and it fails under 400 ms.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.functional import lfilter  # scipy.signal's import takes a second, of every command

_ABSOLUTE_GATE = -70.0  # LUFS
_RELATIVE_GATE = -10.0  # LU, below the loudness of the blocks that passed the absolute gate
_DEPTH = 40.0  # LU
_OFFSET = -0.691  # dB; cancels the weighting's gain at 997 Hz
_HOPS_PER_BLOCK = 4  # 400 ms blocks, overlapping by 75%


def loudness(wave: Tensor, sample_rate: int) -> float:
    """Integrated loudness of a mono wave (N,) in LUFS, gated, BS.1770-4 annex 1.

    A wave of at most one block of 400 ms is measured whole and ungated. Silence, and a wave that
    stays below the absolute gate of -70 LUFS, give -inf. A constant offset has no loudness.
    """
    return _level(_gated(_block_powers(wave, sample_rate), _power(_ABSOLUTE_GATE)))


def level(wave: Tensor, sample_rate: int) -> float:
    """Loudness of a wave (N,) in LUFS, of any level: only digital silence gives -inf.

    The absolute gate is at most _DEPTH under the loudest block. For waves that reach -30 LUFS this
    is the integrated loudness.
    """
    powers = _block_powers(wave, sample_rate)
    gate = min(_power(_ABSOLUTE_GATE), powers.max(initial=0.0) * 10 ** (-_DEPTH / 10))
    return _level(_gated(powers, gate))


def block_powers(wave: Tensor, sample_rate: int, seconds: float) -> NDArray[np.float64]:
    """K-weighted mean square (blocks,) of each whole block of a wave (N,)."""
    n_block = max(round(seconds * sample_rate), 1)
    return _weighted_energies(wave, sample_rate, n_block)[0] / n_block


def loudness_gain(wave: Tensor, sample_rate: int, target: float) -> float:
    """Return the linear gain that brings a wave (N,) to `target` LUFS by its level.

    1.0 for digital silence.
    """
    now = level(wave, sample_rate)
    return 1.0 if now == -math.inf else 10 ** ((target - now) / 20)


def _block_powers(wave: Tensor, sample_rate: int) -> NDArray[np.float64]:
    """K-weighted mean square (blocks,) of each 400 ms; of a shorter wave, of all of it (1,)."""
    hop = _hop(sample_rate)
    energies, whole = _weighted_energies(wave, sample_rate, hop)
    if energies.size < _HOPS_PER_BLOCK:
        return np.array([whole / max(wave.numel(), 1)])
    return np.convolve(energies, np.ones(_HOPS_PER_BLOCK), "valid") / (_HOPS_PER_BLOCK * hop)


def _gated(powers: NDArray[np.float64], gate: float) -> float:
    """Mean of the powers (blocks,) that pass both gates; 0.0 without one."""
    if powers.size > 1:  # a wave of at most one block is measured ungated
        powers = powers[powers > gate]
    if powers.size == 0:
        return 0.0
    # Equation 7: the relative gate lies below the mean of the blocks that passed the absolute one.
    passed = powers[powers >= powers.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(passed.mean()) if passed.size else math.nan  # a wave that is not finite


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Return the K-weighting at a rate as second-order sections (2, 6).

    The standard has a table for 48 kHz only. These are the analogue prototypes of that table,
    mapped by the bilinear transform with prewarping (as in libebur128). At 48 kHz the numbers are
    equal.
    """
    k, q = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf_b = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    shelf_a = [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    pass_a = [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]
    shelf = np.array(shelf_b + shelf_a) / shelf_a[0]
    high_pass = np.array([pass_a[0], -2 * pass_a[0], pass_a[0], *pass_a]) / pass_a[0]
    return np.stack([shelf, high_pass])


def _weighted_energies(
    wave: Tensor, sample_rate: int, hop: int
) -> tuple[NDArray[np.float64], float]:
    """Return the K-weighted energy of each complete hop (hops,), and of the whole wave.

    Its mean is taken off first: the filters would answer to its onset.
    """
    samples = wave.detach().cpu()
    offset = float(samples.mean(dtype=torch.float64)) if len(samples) else 0.0
    energies, whole = [np.zeros(0)], 0.0
    length = 10 * sample_rate // hop * hop  # ten seconds at a time: memory stays bounded
    for start in range(0, len(samples), length):
        early = min(start, sample_rate)  # a second, whose beginning the filters forget
        block = samples[start - early : start + length].double() - offset
        squares = _weighted(block, sample_rate)[early:].square().numpy()
        n_hops = squares.size // hop
        energies.append(squares[: n_hops * hop].reshape(n_hops, hop).sum(1))
        whole += float(squares.sum())
    return np.concatenate(energies), whole


def _weighted(wave: Tensor, sample_rate: int) -> Tensor:
    """(N,) -> (N,) K-weighted."""
    for section in torch.from_numpy(k_weighting(sample_rate)):
        wave = lfilter(wave, section[3:], section[:3], clamp=False)
    return wave


def _hop(sample_rate: int) -> int:
    """Return 100 ms in samples."""
    return (sample_rate + 5) // 10


def _level(power: float) -> float:
    """Mean square -> LUFS, equation 2 for one channel."""
    return _OFFSET + 10 * math.log10(power) if power > 0 else -math.inf


def _power(level: float) -> float:
    """LUFS -> mean square."""
    return 10 ** ((level - _OFFSET) / 10)
