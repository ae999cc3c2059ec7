"""Import packages late: those that only some commands need, and librosa, which needs a cache."""

import atexit
import importlib
import importlib.util
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from voiceconv.errors import InputError

NUMBA_CACHE = "NUMBA_CACHE_DIR"
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"  # of onnxruntime, which says on stderr that it has no home


def load(module: str, what: str, package: str | None = None, extra: str = "eval") -> Any:
    """Import a module. Raises InputError that names `package` and its extra if it is missing.

    extra: "" for a package that a plain installation has.
    For a module of ours that has no `package`, the error names the missing import.
    """
    place_numba_cache()
    os.environ.setdefault(NO_TELEMETRY, "1")
    try:
        with warnings.catch_warnings():  # Resemblyzer's webrtcvad imports a deprecated module
            warnings.simplefilter("ignore")
            importlib.import_module(module.partition(".")[0])
            return importlib.import_module(module)
    except ImportError as error:
        if package is None and (error.name or "voiceconv").partition(".")[0] == "voiceconv":
            raise
        install = f"'voiceconv[{extra}]'" if extra else "voiceconv"
        raise InputError(
            f"{what} needs {package or error.name}, which cannot be imported ({error}); install it "
            f"with: pip install {install}"
        ) from error


def place_numba_cache() -> None:
    """Give numba a private temporary folder where it would find none, and refuse to compile.

    It keeps librosa's compiled functions beside librosa, else in the user's cache: neither can be
    written in a read-only installation without a home.
    """
    found = importlib.util.find_spec("librosa")
    places = [] if found is None or found.origin is None else [Path(found.origin).parent]
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    if os.path.isabs(cache):  # without a home it is not
        places.append(Path(cache, "numba"))
    if os.environ.get(NUMBA_CACHE) or any(map(_is_writable, places)):
        return
    os.environ[NUMBA_CACHE] = tempfile.mkdtemp(prefix="voiceconv-numba-")
    atexit.register(shutil.rmtree, os.environ[NUMBA_CACHE], ignore_errors=True)


def _is_writable(folder: Path) -> bool:
    """Whether a folder exists, or can be made, and takes files: tried, as numba tries it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
