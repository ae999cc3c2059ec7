"""sha256.json: what each file of a pushed model has to hash to."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text, sha256

MANIFEST = "sha256.json"
TAKEN = re.compile(  # what a model's directory has, and all that is ever fetched
    r"(vocoder/)?(config\.yaml|README\.md|export\.json|[A-Za-z0-9_][\w.-]{0,99}\.(safetensors|onnx))",
    re.ASCII,
)
_HASH = re.compile("[0-9a-f]{64}")


def write_manifest(folder: Path, names: list[str]) -> None:
    """Write it, of these files in the folder."""
    hashes = {name: sha256(folder / name) for name in sorted(names)}
    replace_text(folder / MANIFEST, json.dumps(hashes, indent=2) + "\n")


def read_manifest(path: Path, name: str) -> Mapping[str, str]:
    """File -> hash. Raises InputError for what is none, and for files that no model has."""
    try:
        hashes = json.loads(read_text(path))
    except (InputError, ValueError, RecursionError):
        hashes = None
    is_one = isinstance(hashes, dict) and all(
        isinstance(one, str) and _HASH.fullmatch(one) and TAKEN.fullmatch(file)
        for file, one in hashes.items()
    )
    if not is_one or not hashes:
        raise InputError(
            f"{name}: {MANIFEST} is no list of a model's files and hashes; push it again"
        )
    return hashes


def is_right(path: Path, wanted: str) -> bool:
    """Whether the file is there, and has that hash."""
    return path.is_file() and sha256(path) == wanted
