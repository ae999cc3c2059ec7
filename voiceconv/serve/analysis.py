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
BLOCK = 2000  # frames at once: 20 seconds need 20 MB


def analysis(wave: Tensor, sample_rate: int) -> dict[str, Any]:
    """(N,) -> F0 (T,) in Hz, 0 where unvoiced, and (T, BANDS) bytes in base64, low band first."""
    f0, _ = search(wave.double().numpy(), sample_rate, 1000 * FRAME_PERIOD, "dio")
    mel = _mel(wave, sample_rate)
    n_frames = min(len(f0), len(mel))
    return {
        "f0": [round(float(one), 1) for one in f0[:n_frames]],
        "mel": base64.b64encode(mel[:n_frames].numpy().tobytes()).decode(),
    }


def _mel(wave: Tensor, sample_rate: int) -> Tensor:
    """(N,) -> (T, BANDS) of uint8."""
    hop = round(FRAME_PERIOD * sample_rate)
    n_fft = 2 ** math.ceil(math.log2(WINDOW * sample_rate))
    log_mel = LogMel(MelSpectrogram(sample_rate, n_fft, hop, BANDS).spec)
    blocks = []
    for start in range(0, len(wave) + 1, BLOCK * hop):
        part = wave[start : start + BLOCK * hop]
        frames = log_mel(part[None])[0].T * (20 / math.log(10))  # dB
        share = (frames - QUIETEST) / (LOUDEST - QUIETEST)
        blocks.append((255 * share.clamp(0, 1)).round().to(torch.uint8)[:BLOCK])
    return torch.cat(blocks)
