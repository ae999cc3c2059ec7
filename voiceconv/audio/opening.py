"""Open a sound file, whatever its format: the file, its pieces, and a decoder for them."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, TypeVar

import soundfile

from voiceconv.audio.decoders import Chain, Decoder, Sndfile, warn_once
from voiceconv.audio.media import Media, NotMediaError
from voiceconv.audio.pieces import Pieces, find_pieces
from voiceconv.errors import InputError, RunError
from voiceconv.files import printable

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000  # Hz
_MOST_REMEMBERED = 256

Key = tuple[int, ...] | None  # identifies the contents of a file; None: of a pipe
T = TypeVar("T")


class Sound(NamedTuple):
    """An open sound file, and its name for messages."""

    decoder: Decoder
    name: str
    key: Key


@contextmanager
def opened(path: Path | str) -> Iterator[Sound]:
    """Give the checked sound file. Raises InputError, and RunError if the system fails."""
    name = "standard input" if str(path) == "-" else printable(path)
    try:
        with _opened_bytes(path, name) as (file, key):
            if file.seek(0, os.SEEK_END) == 0:
                raise InputError(f"{name} is empty (0 bytes); give a file that holds sound")
            pieces = remembered(_PIECES, key, lambda: find_pieces(file))
            with closing(_decoder(file, pieces, name)) as decoder:
                _check(decoder, pieces, name)
                yield Sound(decoder, name, key)
    except OSError as error:
        raise RunError(
            f"cannot read {name}: {error.strerror}; see to its disk, and to the room in "
            f"{tempfile.gettempdir()} for copies"
        ) from None


def refuse_cut(name: str, seconds: float, announced: float | None) -> NoReturn:
    """The error that says how much of a damaged file exists."""
    of = f"of {announced:.2f} seconds" if announced else "of the sound that its header announces"
    raise InputError(
        f"{name} is cut or damaged: only {seconds:.2f} {of} can be read; fetch it again"
    )


_PIECES: dict[Key, Pieces] = {}


def remembered(known: dict[Key, T], key: Key, find: Callable[[], T]) -> T:
    """What was found out about a file, so that each of its parts needn't find it out anew."""
    if key is None:
        return find()
    found = known.get(key)  # another thread may clear it meanwhile
    if found is None:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        found = known[key] = find()
    return found


def _decoder(file: BinaryIO, found: Pieces, name: str) -> Decoder:
    """libsndfile, or PyAV for what libsndfile does not know."""
    first = found.pieces[0]
    is_whole = len(found.pieces) == 1 and first.start == 0 and not first.head
    try:
        return Sndfile(file) if is_whole else Chain(file, found.pieces, name)
    except soundfile.LibsndfileError as error:
        why = error.error_string.strip(". ")
    try:
        return Media(file)
    except NotMediaError as error:
        tried, how = f"{why}; {error}", ""
    except InputError:  # no PyAV
        tried, how = why, ": `ffmpeg -i IN OUT.flac`, or pip install 'voiceconv[media]'"
    raise InputError(
        f"{name} is no sound file that libsndfile reads ({tried}); "
        f"convert it to WAV or FLAC first{how}"
    )


def _check(decoder: Decoder, found: Pieces, name: str) -> None:
    """Refuse impossible rates and what is not whole; warn of bytes that are not read."""
    if not LOWEST_RATE <= decoder.sample_rate <= HIGHEST_RATE:
        raise InputError(
            f"{name} has a sample rate of {decoder.sample_rate} Hz; rates from {LOWEST_RATE} to "
            f"{HIGHEST_RATE} Hz are taken: resample it, or mend its header"
        )
    seconds = (decoder.n_samples or 0) / decoder.sample_rate
    there = sum(piece.form.size for piece in found.pieces if piece.form)
    for form in (piece.form for piece in found.pieces if piece.form):
        per_byte = seconds / there if there else 0.0
        if form.is_cut:
            refuse_cut(name, seconds, seconds + per_byte * (form.announced - form.size))
        if form.n_beyond:
            warn_once(
                "%s holds %d bytes (%.2f seconds, if they are sound) beyond the %.2f seconds that "
                "its header announces; they are not read: if they are sound, mend the header, as "
                "by `sox --ignore-length`",
                name,
                form.n_beyond,
                per_byte * form.n_beyond,
                seconds,
            )
    if found.remark:
        warn_once("%s %s", name, found.remark)
    if decoder.n_samples == 0:
        raise InputError(f"{name} holds no samples, only a header; give a file that holds sound")


@contextmanager
def _opened_bytes(path: Path | str, name: str) -> Iterator[tuple[BinaryIO, Key]]:
    """Open a file; a pipe is copied to an unnamed temporary file first, because decoders seek."""
    if str(path) == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed; name a file")
        with _spooled(sys.stdin.buffer) as file:
            yield file, None
        return
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name} is a directory; give a sound file in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise InputError(f"{name} is a device, not a sound file; give a file")
        opened = open(path, "rb", buffering=0 if stat.S_ISREG(mode) else -1)
    except FileNotFoundError:
        raise InputError(f"there is no file {name}; check the path") from None
    except PermissionError:
        raise InputError(f"no permission to read {name}; chmod it or run as its owner") from None
    except OSError as error:
        raise InputError(f"cannot open {name}: {error.strerror}; check the path") from None
    except ValueError:  # a NUL in the name
        raise InputError(f"there can be no file {name}; check the path") from None
    with opened:
        if stat.S_ISFIFO(mode):
            with _spooled(opened) as file:
                yield file, None
        else:
            status = os.fstat(opened.fileno())
            yield opened, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@contextmanager
def _spooled(source: BinaryIO) -> Iterator[BinaryIO]:
    """Copy a stream to a temporary file that vanishes afterwards."""
    with tempfile.TemporaryFile(buffering=0) as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.seek(0)
        yield file
