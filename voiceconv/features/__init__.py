"""Waves to frames: what the networks see of a recording."""

from voiceconv.features.base import FeatureExtractor, Features
from voiceconv.features.mel import MelSpectrogram
from voiceconv.features.stats import (
    DomainStats,
    convert_aperiodicity,
    convert_f0,
    load_stats,
    save_stats,
)
from voiceconv.features.world import World

__all__ = [
    "DomainStats",
    "FeatureExtractor",
    "Features",
    "MelSpectrogram",
    "World",
    "convert_aperiodicity",
    "convert_f0",
    "load_stats",
    "save_stats",
]
