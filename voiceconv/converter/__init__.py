"""Wave to wave: what ships, and the single door to it."""

from voiceconv.converter.converter import PARTS, SILENCE, Converter, through_features

__all__ = ["PARTS", "SILENCE", "Converter", "through_features"]
