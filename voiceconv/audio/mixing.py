"""The rule by which the channels of a file become one.

The rule looks at the whole file, so every part of it is mixed alike. Powers are of blocks of 0.4 s,
as in BS.1770, without their mean (DC). The level of a channel or a mix is the mean power of its
blocks that lie at most 10 dB below the mean of all.

1. A channel without sound is left out: its loudest block lies more than 40 dB below the loudest of
   all (the silence of `sounding`).
2. A channel of mains hum is left out, if another channel is not steady: steady (the 5th and the
   95th percentile of its blocks are less than 3 dB apart, in at least 8 blocks), and with a period
   of 1/50 or 1/60 s (autocorrelation at least 0.95). Another steady channel is only named.
3. A channel that is the opposite of the loudest (correlation below -0.5) is turned over.
4. The mix is the mean of these n channels. Unrelated channels of one level lose 10 log10(n) dB by
   it, which is as it should be. If the mix loses over 1.5 dB more against the loudest channel, it
   is raised to that channel's level: what is in one channel only keeps its level. If it loses over
   20 log10(n) + 3 dB, the channels cancel each other, and the loudest stands for all.

Whatever is not the plain mean has a remark. Where the channels cancel only here and there (0.4 s
whose mix is 10 dB below that of unrelated channels), the remark says for how long.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voiceconv.audio.waves import Samples

Powers = NDArray[np.float64]

_BLOCK = 0.4  # s
_MAINS = (50.0, 60.0)  # Hz
_SILENT = 10**-4.0  # of the loudest block's power
_STEADY, _LEAST_BLOCKS = 10**0.3, 8
_PERIODIC = 0.95
_OPPOSITE = -0.5
_DILUTED, _CANCELLED = 1.5, 3.0  # dB
_LOUD, _LOST = 0.01, 0.1  # of the loudest block; of unrelated channels


class Mix(NamedTuple):
    """Weights of the channels, and what the rule did: "" for the plain mean."""

    weights: tuple[float, ...]
    remark: str = ""

    def __call__(self, block: Samples) -> Samples:
        """(n, channels) -> mono (n,)."""
        with np.errstate(invalid="ignore", over="ignore"):  # reading refuses what is not finite
            if not self.remark:
                return np.asarray(block.mean(1, dtype=np.float32))
            return np.asarray(block @ np.array(self.weights, np.float32))


class Tally:
    """The powers of a file's channels, gathered from blocks of any length."""

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._size = round(_BLOCK * sample_rate)
        self._shape = self._size, n_channels
        self._lags = [round(sample_rate / frequency) for frequency in _MAINS]
        self._rest = np.zeros((0, n_channels), np.float32)
        self._covariances: list[NDArray[np.float32]] = []  # (C, C) of each block
        self._product = np.zeros((len(_MAINS), n_channels))
        self._power = np.zeros((len(_MAINS), n_channels))

    def add(self, block: Samples) -> None:
        """Take the next samples, (n, channels)."""
        whole = np.concatenate([self._rest, block])
        n_blocks = len(whole) // self._size
        for piece in whole[: n_blocks * self._size].reshape(n_blocks, *self._shape):
            self._take(piece)
        self._rest = whole[n_blocks * self._size :]

    def mix(self) -> Mix:
        """Apply the rule to all that was added."""
        if len(self._rest):
            self._take(self._rest)
            self._rest = self._rest[:0]
        if not self._covariances:
            return _mean(self._shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            periodic = np.nan_to_num(self._product / self._power).max(0)
        return choose(np.array(self._covariances, np.float64), periodic)

    def _take(self, piece: Samples) -> None:
        """Take a block (n, C); what is not finite counts as silence, for reading refuses it."""
        channels = np.ascontiguousarray(piece.T)
        with np.errstate(invalid="ignore", over="ignore"):
            channels -= channels.mean(1, keepdims=True)
            covariance = channels @ channels.T / np.float32(len(piece))
        if not np.isfinite(covariance).all():
            channels, covariance = np.zeros_like(channels), np.zeros_like(covariance)
        self._covariances.append(covariance)
        for number, lag in enumerate(self._lags):
            early, late = channels[:, :-lag], channels[:, lag:]
            self._product[number] += np.vecdot(early, late)
            self._power[number] += (np.vecdot(early, early) + np.vecdot(late, late)) / 2


def choose(covariances: Powers, periodic: Powers) -> Mix:
    """The rule. covariances: (blocks, C, C); periodic: (C,), autocorrelation at mains periods."""
    n_channels = len(periodic)
    mean = _mean(n_channels)
    powers = np.diagonal(covariances, axis1=1, axis2=2)  # (blocks, C)
    peaks = powers.max(0, initial=0.0)
    if not np.isfinite(peaks).all() or peaks.max() == 0:
        return mean
    sounding = peaks > _SILENT * peaks.max()
    steady = _are_steady(powers) & sounding
    varies = (sounding & ~steady).any()
    hum = steady & (periodic >= _PERIODIC) & varies
    kept = np.flatnonzero(sounding & ~hum)
    levels = np.array([_level(powers[:, c]) for c in kept])
    loudest = int(kept[levels.argmax()])
    total = covariances.sum(0)
    norm = np.sqrt(np.diag(total)[kept] * total[loudest, loudest])
    opposite = np.zeros(n_channels, bool)
    opposite[kept] = total[loudest, kept] < _OPPOSITE * norm
    weights = np.zeros(n_channels)
    weights[kept] = np.where(opposite[kept], -1.0, 1.0) / len(kept)
    weights, levelled = _levelled(weights, covariances, float(levels.max()), loudest)
    remarks = [
        _listed(~sounding, "left out (without sound)"),
        _listed(hum, "left out (mains hum)"),
        _listed(opposite, f"turned over (the opposite of channel {loudest})"),
        levelled,
        _listed(steady & ~hum & varies, "mixed in though steady (noise?)"),
        _cancelling(weights, covariances, powers),
    ]
    remark = "; ".join(filter(None, remarks))
    return Mix(tuple(weights.tolist()), remark) if remark else mean


def _mean(n_channels: int) -> Mix:
    return Mix((1 / n_channels,) * n_channels)


def _levelled(
    weights: Powers, covariances: Powers, level: float, loudest: int
) -> tuple[Powers, str]:
    """Weights brought to the loudest channel's level, where the mean is far below it."""
    n_kept = np.count_nonzero(weights)
    mixed = _level(_mixed(weights, covariances))
    loss = 10 * math.log10(level / mixed) if mixed > 0 else math.inf
    if loss > 20 * math.log10(n_kept) + _CANCELLED:
        alone = np.zeros(len(weights))
        alone[loudest] = 1.0
        return alone, f"only channel {loudest} taken (they cancel each other)"
    if loss > 10 * math.log10(n_kept) + _DILUTED:
        return weights * 10 ** (loss / 20), f"mean raised by {loss:.1f} dB (their sounds differ)"
    return weights, ""


def _cancelling(weights: Powers, covariances: Powers, powers: Powers) -> str:
    """For how long the mix loses what is in the channels, if at all."""
    unrelated = powers @ weights**2
    is_loud = unrelated > _LOUD * unrelated.max()
    lost = is_loud & (_mixed(weights, covariances) < _LOST * unrelated)
    seconds = _BLOCK * np.count_nonzero(lost)
    return f"the mix cancels for {seconds:.1f} seconds" if seconds else ""


def _mixed(weights: Powers, covariances: Powers) -> Powers:
    """The power of each block's mix, (blocks,)."""
    return np.asarray(np.einsum("tij,i,j->t", covariances, weights, weights))


def _level(powers: Powers) -> float:
    """(blocks,) -> the mean of the blocks at most 10 dB below the mean of all."""
    return float(powers[powers >= powers.mean() / 10].mean())


def _are_steady(powers: Powers) -> NDArray[np.bool_]:
    """(blocks, C) -> which channels have one level throughout."""
    low, high = np.percentile(powers, (5, 95), axis=0)
    return np.asarray((len(powers) >= _LEAST_BLOCKS) & (high < _STEADY * low))


def _listed(channels: NDArray[np.bool_], what: str) -> str:
    """Channels, counted from 0, and what is with them; "" without any."""
    numbers = [str(c) for c in np.flatnonzero(channels)]
    return f"channel{'s'[: len(numbers) > 1]} {', '.join(numbers)} {what}" if numbers else ""
