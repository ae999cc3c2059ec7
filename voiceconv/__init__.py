"""Convert audio of one domain (a speaker, an instrument) into another, without paired data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceconv.converter import Converter, open_model

    __version__: str

__all__ = ["Converter", "__version__", "open_model"]


def __getattr__(name: str) -> Any:
    """Import slow names at their first use: `import voiceconv` must not import torch."""
    if name in ("Converter", "open_model"):
        from voiceconv import converter

        return getattr(converter, name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("voiceconv")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
    raise AttributeError(f"module 'voiceconv' has no attribute {name!r}")
