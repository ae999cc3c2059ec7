"""Baselines that do not change the frames, and so keep the timbre."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from voiceconv.converter import Converter
from voiceconv.features import DomainStats, Features, convert_f0


class CopySynthesis(Converter):
    """Copy-synthesis: analysis and synthesis without conversion.

    Upper bound of naturalness and intelligibility, lower bound of similarity.
    """

    def translate(
        self,
        features: Features,
        source_stats: DomainStats,
        source: str,
        target: str,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
    ) -> Features:
        """Features -> the same."""
        return features


class PitchShift(Converter):
    """Move only F0 to the target's mean and deviation; keep frames and aperiodicity."""

    def translate(
        self,
        features: Features,
        source_stats: DomainStats,
        source: str,
        target: str,
        condition: Mapping[str, Tensor] | None = None,
        target_stats: DomainStats | None = None,
    ) -> Features:
        """Features -> the same with another F0."""
        if features.f0 is None:
            return features
        f0 = convert_f0(features.f0, source_stats, target_stats or self.stats[target])
        return replace(features, tracks={**features.tracks, "f0": f0})
