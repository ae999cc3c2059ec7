"""The files of a corpus: sound files, or the files that a representation reads.

Every command that takes a folder walks it by `content_files`, with one rule: links are followed,
hidden files and folders (`._a.wav`, `.Trash`) and those of systems (`__MACOSX`) are not entered.
What is passed over is named in a warning.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from voiceconv import audio
from voiceconv.data.kaldi import Utterance
from voiceconv.errors import InputError
from voiceconv.features.base import FileRepresentation, Representation
from voiceconv.files import abridged, printable

# Sound in them is a system's note of a file, or was thrown away.
_OF_SYSTEMS = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "#recycle", "@Recycle"}
log = logging.getLogger(__name__)


class Extent(NamedTuple):
    """Length of an utterance in seconds; sample rate in Hz, None for files without audio."""

    seconds: float
    sample_rate: int | None


class _Walked(NamedTuple):
    """The files of a folder, in order, and what of it is passed over."""

    files: list[Path]
    undecoded: list[Path]  # sound and video in formats that are not read
    closed: list[Path]  # folders that this user may not list


def sound_extensions() -> frozenset[str]:
    """Extensions of the files that `audio.read` takes: more with PyAV than without."""
    return audio.EXTENSIONS | audio.MEDIA_EXTENSIONS if find_spec("av") else audio.EXTENSIONS


def extensions_of(representation: Representation | None) -> frozenset[str]:
    """Extensions of its files; those of sound files for None and for features of waves."""
    if isinstance(representation, FileRepresentation):
        return representation.extensions
    return sound_extensions()


def extent_of(utterance: Utterance, representation: Representation | None = None) -> Extent:
    """Probe an utterance's file. Raises InputError if it, or this part of it, cannot be read."""
    start, end = utterance.start or 0.0, utterance.end
    if isinstance(representation, FileRepresentation):
        n_frames = representation.read(utterance.path, start, end).frames.shape[1]
        if n_frames == 0:
            raise InputError(f"{printable(utterance.path)} holds no frame there; mend its times")
        return Extent(n_frames / representation.frames_per_second, None)
    info = audio.probe(utterance.path, utterance.channel)
    end = audio.end_of_part(info.seconds, printable(utterance.path), start, end)
    return Extent(end - start, info.sample_rate)


def read_wave(utterance: Utterance, sample_rate: int | None = None) -> audio.Recording:
    """An utterance's part and channel of its recording: a wave (N,), as `audio.read` gives it."""
    u = utterance
    return audio.read(u.path, sample_rate, u.start or 0.0, u.end, u.channel)


def content_files(
    folder: Path, extensions: Collection[str] | None = None, without: Path | None = None
) -> list[Path]:
    """Return the files of a folder in sorted order; one warning names what is passed over.

    extensions: how their names end; None: sound files. without: a folder in it that is not
    entered, for it has the outputs of an earlier call.
    """
    walked = _walk(folder, sound_extensions() if extensions is None else extensions, without)
    _warn_of([walked])
    return walked.files


def stems(paths: Sequence[Path]) -> list[str]:
    """Names of recordings, of their files: without the extension, if that tells no two apart.

    Of `a.wav` and `a.flac`, `a` and `a.flac`: so `convert` names the outputs.
    """
    n_formats = Counter(path.with_suffix("") for path in paths)
    return [
        path.stem if path.suffix == ".wav" or n_formats[path.with_suffix("")] == 1 else path.name
        for path in paths
    ]


def domain_files(
    source: Path, extensions: Collection[str], is_domain: Callable[[Path], bool]
) -> dict[Path, list[Path]]:
    """Folder -> its files, of the folders of a corpus that has one for each domain.

    Warnings name what is passed over: folders without such a file, files beside the folders, and
    what `content_files` names. is_domain: False for a folder that is left out without a word.
    Raises InputError if `source` cannot be listed.
    """
    try:
        entries = sorted(one for one in source.iterdir() if not one.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}; check the path") from None
    folders = [one for one in entries if one.is_dir() and is_domain(one)]
    walked = {one: _walk(one, extensions) for one in folders if not _is_hidden(one.name)}
    loose = _sorted_out((one for one in entries if not one.is_dir()), extensions)
    _warn_of([loose, *walked.values()])
    found = {folder: one.files for folder, one in walked.items() if one.files}
    if loose.files:
        log.warning(
            "files beside the folders of %s are passed over, since they are of no domain (%d): %s; "
            "move each into the folder of its domain",
            printable(source), len(loose.files), abridged(one.name for one in loose.files),
        )  # fmt: skip
    if empty := [one.name for one in folders if one not in found]:
        log.warning(
            "folders of %s are passed over, since they hold no file to read (%d): %s",
            printable(source), len(empty), abridged(empty),
        )  # fmt: skip
    return found


def _walk(folder: Path, extensions: Collection[str], without: Path | None = None) -> _Walked:
    root, outputs = os.path.realpath(folder), without and os.path.realpath(without)
    visited = {outputs} - {root}
    paths: list[Path] = []
    closed: list[Path] = []
    for parent, folders, names in os.walk(
        folder, onerror=lambda error: closed.append(Path(error.filename)), followlinks=True
    ):
        real = os.path.realpath(parent)
        if real in visited:  # a link may lead back up
            if real == outputs != root and (folders or names):
                log.warning("what is in the output folder %s is no input", printable(parent))
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        paths += [Path(parent) / name for name in sorted(names) if not _is_hidden(name)]
    return _sorted_out(paths, extensions)._replace(closed=closed)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def _sorted_out(paths: Iterable[Path], extensions: Collection[str]) -> _Walked:
    walked = _Walked([], [], [])
    undecoded = audio.MEDIA_EXTENSIONS if ".wav" in extensions else frozenset()
    for path in paths:
        extension = path.suffix.lower()
        if extension in extensions:
            walked.files.append(path)
        elif extension in undecoded:
            walked.undecoded.append(path)
    return walked


def _warn_of(walked: Collection[_Walked]) -> None:
    if undecoded := [path for one in walked for path in one.undecoded]:
        log.warning(
            "files are passed over, since their formats are not read (%d): %s; pip install "
            "'voiceconv[media]' to read them, or convert each: ffmpeg -i FILE FILE.wav",
            len(undecoded), abridged(undecoded),
        )  # fmt: skip
    if closed := [path for one in walked for path in one.closed]:
        log.warning(
            "folders are passed over, since there is no permission to list them (%d): %s; chmod "
            "them or run as their owner", len(closed), abridged(closed),
        )  # fmt: skip
