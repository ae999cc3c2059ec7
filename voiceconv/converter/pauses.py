"""Pauses: they stay as far below speech as they were, and no network hears the long ones.

A network makes noise of silence, and instance norm brings a chunk without speech to speech's level.
So quiet places are found in the source. There, the noise floor is the lowest level of any SHORTEST
seconds. A place is quiet where at least SHORTEST seconds lie BELOW or more under the loudest LONG
seconds, and where there is digital silence, or sound SILENT under the wave. A pause is a quiet
place of at least LONG seconds that lie DEEP or more under the loudest, as a soft note or verse need
not, and at most SPREAD above the noise floor. All levels are K-weighted, so neither hum nor a
constant offset hides a pause.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voiceconv.audio import block_powers
from voiceconv.converter.chunks import FADE

SHORTEST = 0.3  # seconds: closures of plosives, which belong to speech, are shorter
LONG = 1.0  # seconds
MARGIN = 0.3  # seconds at both ends of a pause that are converted with the speech beside them
BELOW, DEEP, SPREAD, SILENT = 15.0, 25.0, 10.0, 70.0  # LU
BLOCK = 0.01  # seconds
_AROUND = 5  # blocks over which a level is taken


class Span(NamedTuple):
    """Samples or blocks [start, end)."""

    start: int
    end: int


def cut_pauses(wave: Tensor, sample_rate: int) -> tuple[Tensor, list[Span]]:
    """(N,) -> the wave without the middles of its pauses (M,), and the middles, in samples.

    A wave that is nothing else is kept whole.
    """
    n_block, margin = round(BLOCK * sample_rate), int(MARGIN * sample_rate)
    middles = []
    for start, end in _runs(_find(wave, sample_rate).pause):
        first = start * n_block + margin if start else 0
        last = end * n_block - margin
        if (end + 1) * n_block > len(wave):  # the blocks leave out what fills none
            last = len(wave)
        if end - start >= LONG / BLOCK and last > first:
            middles.append(Span(first, last))
    kept = _between(middles, len(wave))
    if not (middles and kept):
        return wave, []
    return torch.cat([wave[one.start : one.end] for one in kept]), middles


def restore_pauses(converted: Tensor, wave: Tensor, middles: Sequence[Span], rate: int) -> Tensor:
    """Converted (M,), the wave (N,) that cut_pauses cut -> (N,), the middles as they were."""
    if not middles:
        return converted
    output, fade, n_done = wave.clone(), int(FADE * rate), 0
    for start, end in _between(middles, len(wave)):
        part = converted[n_done : n_done + end - start]
        n_done += end - start
        n_fade = min(fade, len(part) // 2)
        weight = torch.ones_like(part)
        ramp = (torch.arange(n_fade) + 0.5) / max(n_fade, 1)
        if start > 0:
            weight[:n_fade] = ramp
        if end < len(wave):
            weight[len(part) - n_fade :] = ramp.flip(0)
        output[start:end] = torch.lerp(output[start:end], part, weight)
    return output


def hush(output: Tensor, wave: Tensor, sample_rate: int) -> None:
    """Lower quiet places of `output` (N,), in place: as far below speech as in `wave` (N,)."""
    before, quiet, _ = _find(wave, sample_rate)
    if not quiet.any() or quiet.all():
        return
    after = _powers(output, sample_rate)
    allowed = before * (after[~quiet].mean() / before[~quiet].mean())
    lowered = np.sqrt(np.minimum(allowed / np.maximum(after, allowed.max() * 1e-30), 1.0))
    gains = np.where(quiet, lowered, 1.0)
    n_block = round(BLOCK * sample_rate)
    gains[_still(wave, n_block)] = 0.0
    centres = (np.arange(before.size) + 0.5) * n_block
    for start in range(0, len(output), 1000 * n_block):  # ten seconds: memory stays bounded
        part = output[start : start + 1000 * n_block]
        places = np.arange(start, start + len(part))
        part *= torch.from_numpy(np.interp(places, centres, gains)).float()


class _Places(NamedTuple):
    """Of each block (blocks,) of a wave: its power, whether it is quiet, or even may be a pause."""

    power: NDArray[np.float64]
    quiet: NDArray[np.bool_]
    pause: NDArray[np.bool_]


def _find(wave: Tensor, sample_rate: int) -> _Places:
    """Quiet places of a wave (N,)."""
    powers = _powers(wave, sample_rate)
    silent = _still(wave, round(BLOCK * sample_rate))
    silent |= powers <= _times(powers.mean() if powers.size else 0.0, -SILENT)
    quiet = silent.copy()
    n = round(SHORTEST / BLOCK)
    if np.count_nonzero(~silent) < n:
        return _Places(powers, quiet, silent)
    floor, loudest = _means(powers[~silent], n).min(), _means(powers, round(LONG / BLOCK)).max()
    low = silent | (powers <= _times(loudest, -BELOW))
    for start, end in _runs(low):
        quiet[start:end] |= end - start >= n
    highest = min(_times(loudest, -DEEP), _times(floor, SPREAD))
    return _Places(powers, quiet, quiet & (silent | (powers <= highest)))


def _still(wave: Tensor, n_block: int) -> NDArray[np.bool_]:
    """Whether each block (blocks,) of a wave (N,) is digital silence: one value, 0 or an offset."""
    blocks = wave[: len(wave) // n_block * n_block].view(-1, n_block)
    return (blocks.amax(1) - blocks.amin(1) < 1e-7).numpy()


def _means(powers: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """(blocks,) -> the mean of each n neighbours, or of all where they are fewer."""
    n = min(n, powers.size)
    return np.convolve(powers, np.full(n, 1 / n), "valid")


def _times(power: float, decibels: float) -> float:
    return float(power * 10 ** (decibels / 10))


def _powers(wave: Tensor, sample_rate: int) -> NDArray[np.float64]:
    """K-weighted power (blocks,), each of the _AROUND blocks around it."""
    powers = block_powers(wave, sample_rate, BLOCK)
    if powers.size == 0:
        return powers
    half = _AROUND // 2
    return np.convolve(np.pad(powers, half, "edge"), np.full(_AROUND, 1 / _AROUND), "valid")


def _runs(flags: NDArray[np.bool_]) -> list[Span]:
    """Where flags (n,) are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [Span(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _between(spans: Sequence[Span], length: int) -> list[Span]:
    """What the spans leave of [0, length)."""
    starts = [0, *(one.end for one in spans)]
    ends = [*(one.start for one in spans), length]
    return [Span(start, end) for start, end in zip(starts, ends, strict=True) if end > start]
