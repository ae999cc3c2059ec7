"""The program that streams, with models that need no training: for tests, the page, benchmarks.

FAKE_BUSY: milliseconds of a core that each push of 20 ms takes.
"""

import os
import time

import torch
from torch import Tensor

from voiceconv.audio import resample
from voiceconv.errors import InputError
from voiceconv.serve import streaming

RATE = 24_000
LOOK_AHEADS = (0.0, 0.02, 0.06)


class FakeStream:
    """The input at RATE, an octave of steps quieter, later by the look-ahead."""

    output_rate = RATE

    def __init__(self, target: str, sample_rate: int = 48_000, look_ahead: float | None = None):
        look_ahead = LOOK_AHEADS[1] if look_ahead is None else look_ahead
        if look_ahead not in LOOK_AHEADS:
            raise InputError(f"no look-ahead of {look_ahead:g} s: this model has {LOOK_AHEADS}")
        self._rate = sample_rate
        self._waits = torch.zeros(round(look_ahead * sample_rate))
        self.parts = {"chunk": 0.02, "look_ahead": look_ahead}
        self.latency = sum(self.parts.values())

    def push(self, chunk: Tensor) -> Tensor:
        busy = float(os.environ.get("FAKE_BUSY", "0")) / 1000 * len(chunk) / (0.02 * self._rate)
        until = time.process_time() + busy
        while time.process_time() < until:
            torch.ones(64, 64) @ torch.ones(64, 64)
        whole = torch.cat([self._waits, chunk])
        n_done = len(whole) - len(self._waits)
        self._waits = whole[n_done:]
        return 0.5 * resample(whole[:n_done], self._rate, RATE, "QQ") if n_done else whole[:0]

    def flush(self) -> Tensor:
        return 0.5 * resample(self._waits, self._rate, RATE, "QQ")


class FakeConverter:
    streams, look_aheads, sample_rate = True, LOOK_AHEADS, RATE
    directions = [("low", "high"), ("high", "low")]

    def stream(self, target: str, sample_rate: int = 48_000, look_ahead: float | None = None):
        return FakeStream(target, sample_rate, look_ahead)


class FakeModels:
    """Every name of the allow list is the fake one."""

    def __init__(self, given) -> None:
        pass

    def __getitem__(self, name: str) -> FakeConverter:
        return FakeConverter()


if __name__ == "__main__":
    streaming.Models = FakeModels  # type: ignore[misc,assignment]
    streaming.main()
