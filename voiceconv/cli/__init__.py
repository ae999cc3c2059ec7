"""The command line."""

from voiceconv.cli.app import main

__all__ = ["main"]
