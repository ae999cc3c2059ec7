"""Wave to wave, or file to file: the converters, which ship."""

from voiceconv.converter.converter import Converter, through_features
from voiceconv.converter.files import FileConverter
from voiceconv.converter.frames import PARTS, FrameConverter
from voiceconv.converter.opening import converter_class, open_model

__all__ = [
    "PARTS",
    "Converter",
    "FileConverter",
    "FrameConverter",
    "converter_class",
    "open_model",
    "through_features",
]
