"""What the page draws of a wave: its F0 and a mel spectrogram, 100 frames a second."""

import base64
import math
from typing import Any

import torch
from torch import Tensor

from voiceconv.features import LogMel, MelSpectrogram
from voiceconv.features.f0 import search

FRAME_PERIOD = 0.01  # seconds
BANDS = 80
WINDOW = 0.04  # seconds, at least
QUIETEST, LOUDEST = -90.0, 10.0  # dB, drawn as 0 and 255
BLOCK = 2000  # frames at once: memory does not grow with the wave


def analysis(wave: Tensor, sample_rate: int) -> dict[str, Any]:
    """(N,) -> F0 (T,) in Hz, 0 where unvoiced, and (T, BANDS) bytes in base64, low band first.

    A picture: at the edges of blocks of 20 seconds, a frame or two is less exact.
    """
    hop = round(FRAME_PERIOD * sample_rate)
    n_fft = 2 ** math.ceil(math.log2(WINDOW * sample_rate))
    log_mel = LogMel(MelSpectrogram(sample_rate, n_fft, hop, BANDS).spec)
    f0: list[float] = []
    mel = []
    for start in range(0, len(wave), BLOCK * hop):
        part = wave[start : start + BLOCK * hop]
        found, _ = search(part.double().numpy(), sample_rate, 1000 * FRAME_PERIOD, "dio")
        n_frames = min(len(found), len(part) // hop + 1, BLOCK)
        f0 += [round(float(one), 1) for one in found[:n_frames]]
        mel.append(_steps(log_mel(part[None])[0])[:n_frames])
    return {"f0": f0, "mel": base64.b64encode(torch.cat(mel).numpy().tobytes()).decode()}


def _steps(log_mel: Tensor) -> Tensor:
    """(BANDS, T) of natural logarithms -> (T, BANDS) of uint8."""
    share = (log_mel.T * (20 / math.log(10)) - QUIETEST) / (LOUDEST - QUIETEST)
    return (255 * share.clamp(0, 1)).round().to(torch.uint8)
