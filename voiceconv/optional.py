"""Packages that some commands alone need: imported when they are, named where they are missing."""

import importlib
import warnings
from typing import Any

from voiceconv.errors import InputError


def load(module: str, what: str, package: str | None = None, extra: str = "eval") -> Any:
    """The module; InputError, naming the extra that brings `package`, where it is missing.

    A module of our own: without a `package`, whichever of what it imports is missing is named.
    """
    try:
        with warnings.catch_warnings():  # webrtcvad, beneath Resemblyzer, imports what is dated
            warnings.simplefilter("ignore")
            importlib.import_module(module.partition(".")[0])
            return importlib.import_module(module)
    except ImportError as error:
        if package is None and (error.name or "voiceconv").partition(".")[0] == "voiceconv":
            raise
        raise InputError(
            f"{what} needs {package or error.name}, which cannot be imported ({error}); install it "
            f"with: pip install 'voiceconv[{extra}]'"
        ) from error
