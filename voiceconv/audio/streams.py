"""Resampling of a wave as it comes in, at a delay of 2.3 ms at most.

soxr's streams are better filters, but 19 to 39 ms late (48 to 24 kHz, its qualities LQ to HQ).
"""

import math

import numpy as np
import torch
from torch import Tensor

from voiceconv.audio.waves import n_resampled

N_CROSSINGS = 16  # of the sinc on each side
BETA = 8.0  # of the Kaiser window: what would alias is 80 dB down
PASSED = 0.93  # share of the lower half rate that the filter lets through
RATES = (8_000, 192_000)  # Hz, the lowest and the highest that a stream takes


class StreamResampler:
    """A wave in chunks at `from_rate` -> the same at `to_rate`, however it is cut.

    A windowed sinc, one row of taps for each place that an output has between two inputs. `delay`:
    inputs that it waits for beyond the place of an output.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self.from_rate, self.to_rate = from_rate, to_rate
        common = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        cutoff = PASSED * min(1.0, to_rate / from_rate)
        self.delay = 0 if from_rate == to_rate else math.ceil(N_CROSSINGS / cutoff)
        places = np.arange(1 - self.delay, self.delay + 1) - np.arange(self._up)[:, None] / self._up
        inside = np.maximum(1 - np.square(places / self.delay), 0) if self.delay else places
        taps = cutoff * np.sinc(cutoff * places) * np.i0(BETA * np.sqrt(inside)) / np.i0(BETA)
        self._taps = torch.from_numpy(taps)  # (up, 2 delay)
        self._kept = torch.zeros(max(0, self.delay - 1), dtype=torch.float64)
        self._first = -len(self._kept)  # the input that `_kept` begins with
        self.n_in = self.n_out = 0

    def push(self, chunk: Tensor) -> Tensor:
        """(n,) -> what is complete with it, (m,) float32."""
        self.n_in += len(chunk)
        if self.from_rate == self.to_rate:
            self.n_out = self.n_in
            return chunk.float()
        return self._advance(chunk, self._n_complete(self.n_in))

    def flush(self) -> Tensor:
        """The rest: in all there are n_resampled(n_in) samples."""
        if self.from_rate == self.to_rate:
            return torch.zeros(0)
        after = torch.zeros(2 * self.delay)
        return self._advance(after, n_resampled(self.n_in, self.from_rate, self.to_rate))

    def _n_complete(self, n_in: int) -> int:
        """Outputs for which `delay` inputs beyond their place are there."""
        return max(0, -(-(n_in - self.delay) * self._up // self._down))

    def _advance(self, chunk: Tensor, n_out: int) -> Tensor:
        """Outputs [self.n_out, n_out) of what is kept and the chunk."""
        wave = torch.cat([self._kept, chunk.double()])
        place = torch.arange(self.n_out, max(self.n_out, n_out)) * self._down
        begins = place // self._up + 1 - self.delay - self._first
        taps = self._taps[place % self._up]
        windows = wave[begins[:, None] + torch.arange(2 * self.delay)]
        self.n_out = max(self.n_out, n_out)
        next_begin = self.n_out * self._down // self._up + 1 - self.delay
        n_done = min(max(0, next_begin - self._first), len(wave))
        self._kept, self._first = wave[n_done:], self._first + n_done
        return (windows * taps).sum(1).float()
