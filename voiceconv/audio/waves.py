"""Operations on waves in memory, whole or as streams of blocks: resampling, trimming, gathering."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

Samples = NDArray[np.float32]
REACH = 0.01  # seconds around a peak that are lowered with it: a period of a deep voice
_BLOCK = 1 << 16  # samples
_LIMITED = 1 << 13  # samples: most such blocks have no peak


def n_resampled(n_samples: int, from_rate: int, to_rate: int) -> int:
    """Return the length after resampling: n·to/from, rounded half up, at least 1 (none stays 0)."""
    return max((2 * n_samples * to_rate + from_rate) // (2 * from_rate), min(n_samples, 1))


def resample(wave: Tensor, from_rate: int, to_rate: int, quality: str = "VHQ") -> Tensor:
    """(N,) -> (n_resampled(N),), with soxr at very high quality, or another of its qualities."""
    if from_rate == to_rate:
        return wave
    samples = wave.detach().cpu().numpy()
    blocks = (samples[i : i + _BLOCK] for i in range(0, samples.size, _BLOCK))
    n_output = n_resampled(samples.size, from_rate, to_rate)
    return gathered(resampled_blocks(blocks, from_rate, to_rate, quality), n_output)


def limited(wave: Tensor, sample_rate: int) -> Iterator[Samples]:
    """(N,) -> blocks (n,) of it within [-1, 1]; what lies REACH from a higher peak is lowered.

    The gain follows each peak by a minimum and a mean over the same time, so it is never above what
    the peak needs, and changes without a step.
    """
    reach = int(REACH * sample_rate)
    window = 2 * reach + 1
    for start in range(0, len(wave), _LIMITED):
        first = max(start - 2 * reach, 0)
        around = wave[first : start + _LIMITED + 2 * reach].detach().cpu()
        if around.abs().max() <= 1:
            yield around[start - first :][:_LIMITED].float().numpy()
            continue
        peaks = torch.nn.functional.max_pool1d(around.abs()[None, None], window, 1, reach)
        gains = torch.nn.functional.avg_pool1d(
            1 / peaks.clamp_min(1.0), window, 1, reach, count_include_pad=False
        )[0, 0]
        block = around.double() * gains.double() if gains.min() < 1 else around
        yield block[start - first :][:_LIMITED].float().clamp(-1.0, 1.0).numpy()


def faded(wave: Tensor, sample_rate: int, seconds: float) -> Tensor:
    """(N,) -> (N,), with a raised cosine of so many seconds at both ends."""
    n_fade = min(round(seconds * sample_rate), wave.numel() // 2)
    slope = (0.5 - 0.5 * torch.cos(math.pi * (torch.arange(n_fade) + 0.5) / n_fade)).float()
    gain = torch.ones_like(wave)
    gain[:n_fade] = slope
    gain[wave.numel() - n_fade :] = slope.flip(0)
    return wave * gain


def trim(wave: Tensor, sample_rate: int, top_db: float = 40.0, margin: float = 0.05) -> Tensor:
    """Cut leading and trailing silence by `sounding`, (N,) -> a view (M,), M <= N."""
    first, end = sounding(wave, sample_rate, top_db, margin)
    return wave[first:end]


def sounding(
    wave: Tensor, sample_rate: int, top_db: float = 40.0, margin: float = 0.05
) -> tuple[int, int]:
    """Find where sound begins and ends in a wave (N,), in samples.

    A 10 ms block is silent if its RMS lies more than `top_db` below that of the loudest block.
    `margin` seconds of silence are kept at both ends. Digital silence stays unchanged.
    """
    hop = max(sample_rate // 100, 1)
    n_blocks = -(-wave.numel() // hop)
    padded = torch.nn.functional.pad(wave, (0, n_blocks * hop - wave.numel()))
    power = padded.view(n_blocks, hop).square().mean(1)  # (N,) -> (blocks,)
    loud = (power > power.max() * 10 ** (-top_db / 10)).nonzero() if n_blocks else power
    if loud.numel() == 0:
        return 0, wave.numel()
    keep = round(margin * sample_rate)
    first, last = int(loud[0]) * hop, (int(loud[-1]) + 1) * hop
    return max(first - keep, 0), min(last + keep, wave.numel())


def resampled_blocks(
    blocks: Iterable[Samples], from_rate: int, to_rate: int, quality: str = "VHQ"
) -> Iterator[Samples]:
    """Resample a stream of mono blocks (n,)."""
    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=quality)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def gathered(blocks: Iterable[Samples], n_samples: int) -> Tensor:
    """Collect blocks into one wave (n_samples,)."""
    wave = np.zeros(n_samples, np.float32)
    n_done = 0
    for block in blocks:
        part = block[: n_samples - n_done]  # soxr may differ from the rounded length by a sample
        wave[n_done : n_done + len(part)] = part
        n_done += len(part)
    return torch.from_numpy(wave)
