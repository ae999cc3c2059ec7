"""Wave to wave, or file to file: what ships, and the doors to it."""

from voiceconv.converter.converter import SILENCE, Converter, through_features
from voiceconv.converter.files import FileConverter
from voiceconv.converter.frames import PARTS, FrameConverter
from voiceconv.converter.opening import converter_class, open_model

__all__ = [
    "PARTS",
    "SILENCE",
    "Converter",
    "FileConverter",
    "FrameConverter",
    "converter_class",
    "open_model",
    "through_features",
]
