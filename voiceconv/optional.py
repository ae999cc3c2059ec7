"""Import packages that only some commands need, and name the extra if one is missing."""

import importlib
import warnings
from typing import Any

from voiceconv.errors import InputError


def load(module: str, what: str, package: str | None = None, extra: str = "eval") -> Any:
    """Import a module. Raises InputError that names `package` and its extra if it is missing.

    For a module of ours that has no `package`, the error names the missing import.
    """
    try:
        with warnings.catch_warnings():  # Resemblyzer's webrtcvad imports a deprecated module
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
