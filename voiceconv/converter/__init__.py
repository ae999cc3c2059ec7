"""Wave to wave: the converter, which ships."""

from voiceconv.converter.converter import PARTS, SILENCE, Converter, through_features

__all__ = ["PARTS", "SILENCE", "Converter", "through_features"]
