"""The files of a corpus: sound files, or the files that a representation reads."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from voiceconv import audio
from voiceconv.data.kaldi import Utterance
from voiceconv.features.base import FileRepresentation, Representation
from voiceconv.files import printable


class Extent(NamedTuple):
    """Length of an utterance in seconds; sample rate in Hz, None for files without audio."""

    seconds: float
    sample_rate: int | None


def extensions_of(representation: Representation | None) -> frozenset[str]:
    """Extensions of its files; those of sound files for None and for features of waves."""
    if isinstance(representation, FileRepresentation):
        return representation.extensions
    return audio.EXTENSIONS


def extent_of(utterance: Utterance, representation: Representation | None = None) -> Extent:
    """Probe an utterance's file. Raises InputError if it, or this part of it, cannot be read."""
    start, end = utterance.start or 0.0, utterance.end
    if isinstance(representation, FileRepresentation):
        frames = representation.read(utterance.path, start, end).frames
        return Extent(frames.shape[1] / representation.frames_per_second, None)
    info = audio.probe(utterance.path)
    end = audio.end_of_part(info.seconds, printable(utterance.path), start, end)
    return Extent(end - start, info.sample_rate)


def content_files(folder: Path, extensions: Collection[str] = audio.EXTENSIONS) -> Iterator[Path]:
    """Walk a folder, links included, in sorted order, without hidden files."""
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:  # a link that leads back up
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in extensions:
                yield Path(parent) / name
