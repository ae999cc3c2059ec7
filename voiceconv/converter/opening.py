"""Which converter goes with which features: waves have one, files of another kind another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voiceconv.build import class_of
from voiceconv.converter.converter import Converter
from voiceconv.converter.directory import find_model, read_config
from voiceconv.converter.files import FileConverter
from voiceconv.features import FileRepresentation, Representation


def converter_class(features: Mapping[str, Any]) -> type[Converter] | type[FileConverter]:
    """By the class that the features' node names. Raises InputError where that is foreign."""
    is_of_files = issubclass(class_of(features, Representation), FileRepresentation)
    return FileConverter if is_of_files else Converter


def open_model(
    model: Path | str | None = None, engine: str | None = None
) -> Converter | FileConverter:
    """Any model, as `FrameConverter.from_pretrained` takes it."""
    cls = converter_class(read_config(find_model(model))["features"])
    return cls.from_pretrained(model, engine)
