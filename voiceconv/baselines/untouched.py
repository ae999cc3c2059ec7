"""The lowest rungs: converters that leave the frames, and so the voice's timbre, as they are."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from voiceconv.converter import Converter
from voiceconv.features import DomainStats, Features, convert_f0


class CopySynthesis(Converter):
    """Nothing is converted: what analysis and synthesis alone do to a sound.

    The ceiling of naturalness and intelligibility, and the floor of similarity.
    """

    def translate(
        self,
        features: Features,
        source_stats: DomainStats,
        source: str,
        target: str,
        condition: Mapping[str, Tensor] | None = None,
    ) -> Features:
        """Features -> the same."""
        return features


class PitchShift(Converter):
    """F0 alone is moved to the target's mean and deviation; frames and aperiodicity stay."""

    def translate(
        self,
        features: Features,
        source_stats: DomainStats,
        source: str,
        target: str,
        condition: Mapping[str, Tensor] | None = None,
    ) -> Features:
        """Features -> the same but for F0."""
        if features.f0 is None:
            return features
        f0 = convert_f0(features.f0, source_stats, self.stats[target])
        return replace(features, tracks={**features.tracks, "f0": f0})
