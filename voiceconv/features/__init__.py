"""Features: waves, or files of another kind, -> frames, the input of the networks."""

from voiceconv.features.base import (
    FeatureExtractor,
    FileRepresentation,
    Representation,
    differences,
)
from voiceconv.features.causal import CausalSpectrum
from voiceconv.features.frames import Features
from voiceconv.features.mel import LogMel, MelSpec, MelSpectrogram
from voiceconv.features.stats import (
    DomainStats,
    convert_aperiodicity,
    convert_f0,
    convert_tracks,
    load_stats,
    save_stats,
)
from voiceconv.features.world import World

__all__ = [
    "CausalSpectrum",
    "DomainStats",
    "FeatureExtractor",
    "Features",
    "FileRepresentation",
    "LogMel",
    "MelSpec",
    "MelSpectrogram",
    "Representation",
    "World",
    "convert_aperiodicity",
    "convert_f0",
    "convert_tracks",
    "differences",
    "load_stats",
    "save_stats",
]
