"""torch.hub's door: `torch.hub.load(DIR, "converter", model, source="local")`."""

from pathlib import Path

from voiceconv import Converter, open_model
from voiceconv.converter import FileConverter

dependencies = ["torch", "torchaudio", "pyworld", "soundfile", "hydra", "safetensors"]


def converter(
    model: Path | str | None = None, engine: str | None = None
) -> Converter | FileConverter:
    """Any model, as `voiceconv.open_model` takes it; None: the bundled one."""
    return open_model(model, engine)
