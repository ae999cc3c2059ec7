"""Packages that some measures alone need: imported when they are, named where they are missing."""

import importlib
import warnings
from typing import Any

from voiceconv.errors import InputError


def load(module: str, what: str, package: str, extra: str = "eval") -> Any:
    """The module; InputError, naming the extra that brings `package`, where it is missing."""
    try:
        with warnings.catch_warnings():  # webrtcvad, beneath Resemblyzer, imports what is dated
            warnings.simplefilter("ignore")
            importlib.import_module(module.partition(".")[0])
            return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{what} needs {package}, which cannot be imported ({error}); install it with: "
            f"pip install 'voiceconv[{extra}]'"
        ) from error
