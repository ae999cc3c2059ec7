"""Convert audio of one domain (a speaker, an instrument) into another, without paired data."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceconv.converter import Converter

try:
    __version__ = version("voiceconv")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["Converter", "__version__"]


def __getattr__(name: str) -> Any:
    """Import `Converter` at its first use: `import voiceconv` must not import torch."""
    if name == "Converter":
        from voiceconv.converter import Converter

        return Converter
    raise AttributeError(f"module 'voiceconv' has no attribute {name!r}")
