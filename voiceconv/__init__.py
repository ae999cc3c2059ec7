"""Convert audio of one domain (a speaker, an instrument) into another, without paired data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceconv.converter import Converter

    __version__: str

__all__ = ["Converter", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is slow when it is first asked for: `import voiceconv` must not start torch."""
    if name == "Converter":
        from voiceconv.converter import Converter

        return Converter
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("voiceconv")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
    raise AttributeError(f"module 'voiceconv' has no attribute {name!r}")
