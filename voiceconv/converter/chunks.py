"""Long waves in chunks: cut where it is quiet, overlapping for context, joined without a seam."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 20.0  # seconds; what is converted at once, and so what a conversion's memory is for
SEARCH = 5.0  # seconds before a chunk's end in which the quietest place to cut is looked for
CONTEXT = 1.0  # seconds analysed beyond each cut: more than the networks' reach of 0.93 s
FADE = 0.02  # seconds over which two chunks are blended at their cut
BLOCK = 0.02  # seconds whose energy says how quiet a place is


class Chunk(NamedTuple):
    """Samples [start, stop) are processed, samples [begin, end) are kept."""

    start: int
    begin: int
    end: int
    stop: int


def cut_chunks(wave: Tensor, sample_rate: int) -> list[Chunk]:
    """(N,) -> chunks whose [begin, end) tile [0, N); one chunk where N is at most CHUNK."""
    cuts = [0]
    while len(wave) - cuts[-1] > CHUNK * sample_rate:
        latest = cuts[-1] + int(CHUNK * sample_rate)
        earliest = latest - int(SEARCH * sample_rate)
        cuts.append(earliest + _quietest(wave[earliest:latest], int(BLOCK * sample_rate)))
    cuts.append(len(wave))
    context = int(CONTEXT * sample_rate)
    return [
        Chunk(max(0, begin - context), begin, end, min(len(wave), end + context))
        for begin, end in zip(cuts[:-1], cuts[1:], strict=True)
    ]


def crossfade_into(output: Tensor, samples: Tensor, chunk: Chunk, sample_rate: int) -> None:
    """Add a chunk's samples (stop - start,) to the output (N,); neighbours' weights sum to 1."""
    half = int(FADE * sample_rate / 2)
    ramp = (torch.arange(2 * half) + 0.5) / (2 * half)
    first = chunk.begin - half if chunk.begin > 0 else 0
    last = chunk.end + half if chunk.end < len(output) else chunk.end
    part = samples[first - chunk.start : last - chunk.start].clone()
    if chunk.begin > 0:
        part[: 2 * half] *= ramp
    if chunk.end < len(output):
        part[-2 * half :] *= 1 - ramp
    output[first:last] += part


def spread_parts(wave: Tensor, sample_rate: int, n_parts: int, seconds: float) -> Sequence[Tensor]:
    """(N,) -> all of it, or n_parts of it spread evenly where it is longer than they are."""
    length = int(seconds * sample_rate)
    if len(wave) <= n_parts * length:
        return [wave]
    starts = torch.linspace(0, len(wave) - length, n_parts).long().tolist()
    return [wave[start : start + length] for start in starts]


def _quietest(wave: Tensor, block: int) -> int:
    """The middle of the (N,) wave's block with the least energy."""
    n_blocks = len(wave) // block
    energy = wave[: n_blocks * block].view(n_blocks, block).square().sum(1)
    return int(energy.argmin()) * block + block // 2
