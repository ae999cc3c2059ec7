"""Features: waves -> frames, the input of the networks."""

from voiceconv.features.base import FeatureExtractor, Features, differences
from voiceconv.features.mel import LogMel, MelSpec, MelSpectrogram
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
    "LogMel",
    "MelSpec",
    "MelSpectrogram",
    "World",
    "convert_aperiodicity",
    "convert_f0",
    "differences",
    "load_stats",
    "save_stats",
]
