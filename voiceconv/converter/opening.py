"""The converter for a model: for waves, whole or as they come in, or for other files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voiceconv.build import class_of
from voiceconv.converter.converter import Converter
from voiceconv.converter.directory import find_model, read_config
from voiceconv.converter.files import FileConverter
from voiceconv.converter.streaming import StreamingConverter
from voiceconv.features import FileRepresentation, Representation
from voiceconv.hub import USUAL, Access
from voiceconv.models import Translator
from voiceconv.models.streaming import StreamingTranslator


def converter_class(features: Mapping[str, Any]) -> type[Converter] | type[FileConverter]:
    """Choose by the class in the features' node. Raises InputError if that is foreign."""
    is_of_files = issubclass(class_of(features, Representation), FileRepresentation)
    return FileConverter if is_of_files else Converter


def open_model(
    model: Path | str | None = None, engine: str | None = None, access: Access = USUAL
) -> Converter | FileConverter:
    """Any model, as `FrameConverter.from_pretrained` takes it; one of the hub as `access` says."""
    folder = find_model(model, access)
    config = read_config(folder)
    if issubclass(class_of(config["translator"], Translator), StreamingTranslator):
        return StreamingConverter.from_pretrained(folder, engine)
    return converter_class(config["features"]).from_pretrained(folder, engine)
