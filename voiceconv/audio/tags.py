"""The text that a sound file carries beside its samples."""

import os
from pathlib import Path
from typing import NamedTuple

import soundfile

from voiceconv.audio.media import metadata
from voiceconv.errors import InputError

COMMENT = "comment"
_WITHOUT = (".au", ".w64")  # libsndfile writes no text into these
_LONGEST = 1 << 16  # characters of one text


class Tags(NamedTuple):
    """RIFF INFO's ISFT and ICMT, Vorbis's and ID3's ENCODER and COMMENT; ASCII fits them all."""

    software: str
    comment: str


def holds_tags(path: Path | str) -> bool:
    """Whether `write` puts tags into files of this extension."""
    return Path(path).suffix.lower() not in _WITHOUT


def set_tags(sound: soundfile.SoundFile, tags: Tags) -> None:
    """Before the first sample: Vorbis and FLAC have their text at the start."""
    sound.software, sound.comment = tags


def read_comments(path: Path | str) -> list[str]:
    """The comments of a file, as libsndfile and PyAV (where it is installed) find them.

    FFmpeg writes comments to places that libsndfile does not look at. None are found in what is no
    sound file. Raises InputError where there is no file.
    """
    if not os.path.isfile(path):
        raise InputError(f"no file {str(path)!r}; name a file that voiceconv has made, or another")
    try:
        with soundfile.SoundFile(os.fsencode(path)) as sound:
            found = [sound.comment]
    except (soundfile.LibsndfileError, RuntimeError):
        found = []
    with open(path, "rb") as file:
        found += [text for name, text in metadata(file) if name.lower() == COMMENT]
    return [text for text in dict.fromkeys(found) if text and len(text) <= _LONGEST]
