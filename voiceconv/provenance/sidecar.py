"""A note beside a file: FILE.json, bound to the file by its SHA-256."""

import json
from pathlib import Path
from typing import NamedTuple

from voiceconv.errors import InputError
from voiceconv.files import read_text, replace_text, sha256, unwritable
from voiceconv.provenance.note import Note, read_note

_LONGEST = 1 << 20  # bytes


class Sidecar(NamedTuple):
    """What a sidecar says, and whether it says that of the file as it is now."""

    note: Note
    fits: bool


def sidecar_path(path: Path | str) -> Path:
    """out.wav -> out.wav.json."""
    return Path(f"{path}.json")


def check_sidecar(path: Path | str) -> None:
    """Raise InputError where a foreign file has the sidecar's place."""
    beside = sidecar_path(path)
    if beside.exists() and _said(beside) is None:
        raise InputError(
            f"{beside} is a file of another kind, in the place of what says how {Path(path).name} "
            "was made; move it, or choose another output"
        )


def write_sidecar(path: Path | str, said: Note) -> None:
    """Write the note of a complete file beside it."""
    beside = sidecar_path(path)
    try:
        replace_text(beside, json.dumps({"file_sha256": sha256(path), **said}, indent=2) + "\n")
    except OSError as error:
        raise unwritable(beside, error) from error


def read_sidecar(path: Path | str) -> Sidecar | None:
    """Of a file; None where there is none of ours."""
    said = _said(sidecar_path(path))
    if said is None:
        return None
    return Sidecar(said, said.pop("file_sha256", None) == sha256(path))


def _said(beside: Path) -> Note | None:
    """What a sidecar says; None where it is missing, or none of ours."""
    try:
        return read_note(read_text(beside)) if beside.stat().st_size <= _LONGEST else None
    except (OSError, InputError):
        return None
