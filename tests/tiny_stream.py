"""A streaming model small enough for tests, whose network says something else in every frame."""

from pathlib import Path
from typing import Any

import torch
from tiny_model import RATE, WORLD
from torch import Tensor

from voiceconv.converter.streaming import Stream, StreamingConverter
from voiceconv.features import DomainStats

SETTINGS: dict[str, Any] = {
    "_target_": "voiceconv.models.streaming.StreamingTranslator",
    "n_bands": 1,
    "width": 8,
    "dilations": [1, 2],
    "look_aheads": [0, 2],
}
STREAMING: dict[str, Any] = {
    "features": {**WORLD, "frame_period": 10.0},
    "translator": SETTINGS,
    "vocoder": {"_target_": "voiceconv.vocoders.harmonic.HarmonicNoise"},
    "loudness": -23.0,
}
HOP = RATE // 100


def stats_of(pitch: float) -> DomainStats:
    log_f0 = torch.tensor([pitch, 1.2]).log()
    return DomainStats(torch.zeros(24), torch.ones(24), log_f0, torch.zeros(1), torch.ones(1))


def make_streaming(**settings: Any) -> StreamingConverter:
    """Of random weights, loud enough to hear and voiced here and there."""
    torch.manual_seed(3)
    config = {**STREAMING, "translator": SETTINGS | settings}
    made = StreamingConverter(config, {"high": stats_of(210.0), "low": stats_of(105.0)})
    network = made.translator
    with torch.no_grad():
        for head in network.heads.values():
            head.exit.weight.mul_(10)
    network.output_scale.fill_(0.1)
    network.output_mean[:, 0] = 2.0
    network.output_mean[:, -1] = -10.0
    network.requires_grad_(False).eval()
    return made


def save_streaming(folder: Path) -> Path:
    make_streaming().save_pretrained(folder, {"steps": 0, "licence": "CC0-1.0"})
    return folder


def streamed(stream: Stream, wave: Tensor, sizes: list[int]) -> Tensor:
    """All that comes out if it is pushed in chunks of these sizes, in turns."""
    parts, start, turn = [], 0, 0
    while start < len(wave):
        size = sizes[turn % len(sizes)]
        parts.append(stream.push(wave[start : start + size]))
        start, turn = start + size, turn + 1
    return torch.cat([*parts, stream.flush()])
