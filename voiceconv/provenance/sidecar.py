"""A note beside a file: FILE.json, bound to the file by its SHA-256."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text, unwritable
from voiceconv.provenance.note import Note, read_note

_LONGEST = 1 << 20  # bytes


class Sidecar(NamedTuple):
    """What a sidecar says, and whether it says that of the file as it is now."""

    note: Note
    fits: bool


def sidecar_path(path: Path | str) -> Path:
    """out.wav -> out.wav.json."""
    return Path(f"{path}.json")


def write_sidecar(path: Path | str, said: Note) -> None:
    """Write the note of a complete file beside it."""
    beside = sidecar_path(path)
    try:
        replace_text(beside, json.dumps({"file_sha256": _sha256(path), **said}, indent=2) + "\n")
    except OSError as error:
        raise unwritable(beside, error) from error


def read_sidecar(path: Path | str) -> Sidecar | None:
    """Of a file; None where there is none of ours."""
    beside = sidecar_path(path)
    try:
        said = read_note(read_text(beside)) if beside.stat().st_size <= _LONGEST else None
    except (OSError, InputError):
        return None
    if said is None:
        return None
    return Sidecar(said, said.pop("file_sha256", None) == _sha256(path))


def _sha256(path: Path | str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
