"""A converter small enough for tests, recordings for it, and the command line called in-process."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import soundfile
import torch
from tiny import vowel
from torch import Tensor, nn

from voiceconv.audio import loudness_gain
from voiceconv.cli import main
from voiceconv.converter import Converter
from voiceconv.features import DomainStats, FeatureExtractor

RATE = 16000
PITCH = {"high": 210.0, "low": 105.0}  # Hz, by domain
WORLD = {
    "_target_": "voiceconv.features.world.World",
    "sample_rate": RATE,
    "n_coefficients": 24,
    "f0_method": "dio",
}
MEL = {
    "_target_": "voiceconv.features.mel.MelSpectrogram",
    "sample_rate": RATE,
    "n_fft": 512,
    "hop_length": 128,
    "n_mels": 40,
}
GENERATOR = {
    "_target_": "voiceconv.models.cyclegan_vc2.Generator212",
    "_partial_": True,
    "base_channels": 8,
    "n_residual_blocks": 1,
}
CONFIG: dict[str, Any] = {
    "features": WORLD,
    "translator": {"_target_": "voiceconv.models.base.PairTranslator", "generator": GENERATOR},
    "vocoder": {"_target_": "voiceconv.vocoders.world.WorldSynthesis"},
    "loudness": -23.0,
}
MEL_CONFIG = CONFIG | {
    "features": MEL,
    "vocoder": {"_target_": "voiceconv.vocoders.griffin_lim.GriffinLim", "n_iterations": 8},
}


def speech(domain: str | float, seconds: float, sample_rate: int = RATE, seed: int = 0) -> Tensor:
    """(N,) syllables of a vowel, of unlike level, over noise at -60 dB.

    domain: one of PITCH, or a pitch in Hz.
    """
    rng = torch.Generator().manual_seed(seed)
    pitch = PITCH[domain] if isinstance(domain, str) else domain
    wave = vowel(pitch, seconds, sample_rate)
    levels = torch.rand(int(12 * seconds) + 2, generator=rng)[None, None] * 0.9 + 0.1
    envelope = nn.functional.interpolate(levels, len(wave), mode="linear", align_corners=True)
    return wave * envelope[0, 0] + 1e-3 * torch.randn(len(wave), generator=rng)


def make_converter(config: dict[str, Any] = CONFIG) -> Converter:
    """Two domains, statistics of six seconds of each, random weights."""
    torch.manual_seed(1)
    first = Converter(config, dict.fromkeys(PITCH, _nothing(config)))
    stats = {domain: fit_stats(first.extractor, domain) for domain in PITCH}
    converter = Converter(config, stats)
    converter.translator.requires_grad_(False).eval()
    return converter


def fit_stats(extractor: FeatureExtractor, domain: str) -> DomainStats:
    return DomainStats.fit([extractor.extract(normalized(speech(domain, 6.0)))])


def normalized(wave: Tensor) -> Tensor:
    """At the loudness at which the tiny model's statistics were taken."""
    return wave * loudness_gain(wave, RATE, CONFIG["loudness"])


def record(path: Path, wave: Tensor, sample_rate: int = RATE, **keywords: Any) -> Path:
    """Write a sound file, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keywords.setdefault("format", path.suffix[1:].upper())
    soundfile.write(os.fsencode(path), wave.numpy(), sample_rate, **keywords)
    return path


class Said(NamedTuple):
    """What the command line answered."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]


def make_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`voiceconv ARGUMENT...` in this process: a new one takes seconds to import torch."""

    def call(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["voiceconv", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        code = left.value.code
        return Said(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


def _nothing(config: dict[str, Any]) -> DomainStats:
    n_channels = config["features"].get("n_coefficients", config["features"].get("n_mels"))
    zeros, empty = torch.zeros(n_channels), torch.zeros(0)
    return DomainStats(zeros, zeros + 1, torch.zeros(2), empty, empty)
