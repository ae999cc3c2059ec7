"""`voiceconv inspect`: what a file says of what made it, and whether it carries the watermark."""

from functools import cache
from pathlib import Path
from typing import Any

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.provenance import CONVERSION, read_conversions
from voiceconv.provenance.note import Note, read_note
from voiceconv.provenance.sidecar import read_sidecar
from voiceconv.provenance.signing import Manifest, read_manifest
from voiceconv.provenance.watermark import FOUND, Watermark

_OF_FOLDER = ("voiceconv", "model", "sha256", "source", "target")


def inspect(path: Path | str) -> dict[str, Any]:
    """What each place says; `none` where nothing does. Raises InputError where there is no file."""
    return {
        "file": str(path),
        "metadata": _metadata(path) or "none",
        "sidecar": _sidecar(path) or "none",
        CONVERSION: _of_folder(path) or "none",
        "c2pa": _manifest(path) or "none",
        "watermark": _watermark(path),
    }


def _metadata(path: Path | str) -> Note | None:
    return next((said for text in audio.read_comments(path) if (said := read_note(text))), None)


def _sidecar(path: Path | str) -> Note | None:
    found = read_sidecar(path)
    if found is None:
        return None
    return {"of": "this file" if found.fits else "a file with other bytes", **found.note}


def _of_folder(path: Path | str) -> Note | None:
    """Of the folder's conversions, which need not be all files in it."""
    known = read_conversions(Path(path).parent)
    facts = [", ".join(f"{key} {one[key]}" for key in _OF_FOLDER if key in one) for one in known]
    return {str(number): fact for number, fact in enumerate(facts, 1)} or None


def _manifest(path: Path | str) -> dict[str, Any] | str | None:
    try:
        found = read_manifest(path)
    except InputError as error:
        return f"not looked for: {error}"
    return None if found is None else _shown(found)


def _shown(found: Manifest) -> dict[str, Any]:
    shown = found._asdict() | {"failures": list(found.failures)}
    return {key: value for key, value in shown.items() if value is not None}


def _watermark(path: Path | str) -> dict[str, Any] | str:
    try:
        recording = audio.read(path)
    except InputError:
        return "not looked for: no sound"
    try:
        watermark = _opened_watermark()
    except InputError as error:
        return f"not looked for: {error}"
    confidence = watermark.confidence(*recording)
    return {"found": confidence > FOUND, "confidence": round(confidence, 3)}


@cache
def _opened_watermark() -> Watermark:
    return Watermark()
